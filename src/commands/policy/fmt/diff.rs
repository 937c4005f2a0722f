//! What changes from one text to another, as `diff -u` writes it.

use std::fmt::Write as _;

use super::super::report::printable;

/// Lines around a change.
const CONTEXT: usize = 3;
/// Pairs of lines to compare; where more differ they are shown as one change.
const MAX_PAIRS: usize = 16 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// The difference with its header; empty where there is none.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    let lines = lines(before, after);
    let is_changed = |line: &Line<'_>| !matches!(line, Line::Same(_));
    let mut text = String::new();
    let mut start = 0;
    while let Some(first) = position(&lines, start, is_changed) {
        let from = first.saturating_sub(CONTEXT).max(start);
        let mut last = first;
        while let Some(next) = position(&lines, last + 1, is_changed)
            && next - last <= 2 * CONTEXT
        {
            last = next;
        }
        let to = (last + CONTEXT + 1).min(lines.len());
        if text.is_empty() {
            let _ = writeln!(text, "--- {name}\n+++ {name} (formatted)");
        }
        hunk(&mut text, &lines, from, to);
        start = to;
    }
    text
}

fn position(lines: &[Line<'_>], from: usize, wanted: impl Fn(&Line<'_>) -> bool) -> Option<usize> {
    lines.iter().enumerate().skip(from).find(|(_, line)| wanted(line)).map(|(at, _)| at)
}

fn hunk(text: &mut String, lines: &[Line<'_>], from: usize, to: usize) {
    let count = |lines: &[Line<'_>], is_before: bool| {
        let counts = |line: &&Line<'_>| match line {
            Line::Same(_) => true,
            Line::Removed(_) => is_before,
            Line::Added(_) => !is_before,
        };
        lines.iter().filter(counts).count()
    };
    let above = lines.get(..from).unwrap_or_default();
    let shown = lines.get(from..to).unwrap_or_default();
    let range = |is_before| {
        let count = (count(above, is_before), count(shown, is_before));
        format!("{},{}", count.0 + usize::from(count.1 > 0), count.1)
    };
    let _ = writeln!(text, "@@ -{} +{} @@", range(true), range(false));
    for line in shown {
        let (mark, line) = match line {
            Line::Same(line) => (' ', line),
            Line::Removed(line) => ('-', line),
            Line::Added(line) => ('+', line),
        };
        let _ = writeln!(text, "{mark}{}", printable(line.trim_end_matches('\n')));
        if !line.ends_with('\n') {
            text.push_str("\\ No newline at end of file\n");
        }
    }
}

/// Every line of both texts, what they share once.
fn lines<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let before: Vec<_> = before.split_inclusive('\n').collect();
    let after: Vec<_> = after.split_inclusive('\n').collect();
    let start = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let (head, before) = before.split_at(start);
    let (_, after) = after.split_at(start);
    let pairs = before.iter().rev().zip(after.iter().rev());
    let end = pairs.take_while(|(one, other)| one == other).count();
    let (before, tail) = before.split_at(before.len() - end);
    let (after, _) = after.split_at(after.len() - end);
    let mut lines: Vec<_> = head.iter().copied().map(Line::Same).collect();
    lines.extend(middle(before, after));
    lines.extend(tail.iter().copied().map(Line::Same));
    lines
}

/// The longest common subsequence of what is between, by the table of its lengths.
fn middle<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Line<'a>> {
    let removed = before.iter().copied().map(Line::Removed);
    let added = after.iter().copied().map(Line::Added);
    if before.len().saturating_mul(after.len()) > MAX_PAIRS {
        return removed.chain(added).collect();
    }
    // `lengths[i][j]` of what follows line i of the one and line j of the other.
    let mut lengths = vec![vec![0_u32; after.len() + 1]; before.len() + 1];
    let at = |lengths: &[Vec<u32>], i: usize, j: usize| {
        lengths.get(i).and_then(|row| row.get(j)).copied().unwrap_or_default()
    };
    for (i, one) in before.iter().enumerate().rev() {
        for (j, other) in after.iter().enumerate().rev() {
            let length = if one == other {
                at(&lengths, i + 1, j + 1) + 1
            } else {
                at(&lengths, i + 1, j).max(at(&lengths, i, j + 1))
            };
            if let Some(place) = lengths.get_mut(i).and_then(|row| row.get_mut(j)) {
                *place = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (before.get(i), after.get(j)) {
            (Some(one), Some(other)) if one == other => {
                lines.push(Line::Same(one));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other)
                if other.is_none() || at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) =>
            {
                lines.push(Line::Removed(one));
                i += 1;
            }
            (_, Some(other)) => {
                lines.push(Line::Added(other));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, after: &str, expected: &str) {
        assert_eq!(unified("a.rego", before, after), expected);
    }

    #[test]
    fn a_change_stands_with_the_lines_around_it() {
        check("a\n", "a\n", "");
        check(
            "1\n2\n3\n4\n5\nb\n6\n7\n8\n9\n",
            "1\n2\n3\n4\n5\nc\nd\n6\n7\n8\n9\n",
            "--- a.rego\n+++ a.rego (formatted)\n@@ -3,7 +3,8 @@\n 3\n 4\n 5\n-b\n+c\n+d\n 6\n 7\n 8\n",
        );
    }

    #[test]
    fn changes_far_apart_are_two_and_the_end_of_the_text_is_shown() {
        let far = "x\n".repeat(7);
        check(
            &format!("a\n{far}b"),
            &format!("c\n{far}b\n"),
            "--- a.rego\n+++ a.rego (formatted)\n@@ -1,4 +1,4 @@\n-a\n+c\n x\n x\n x\n\
             @@ -6,4 +6,4 @@\n x\n x\n x\n-b\n\\ No newline at end of file\n+b\n",
        );
        check("", "a\n", "--- a.rego\n+++ a.rego (formatted)\n@@ -0,0 +1,1 @@\n+a\n");
    }

    #[test]
    fn control_characters_of_a_policy_do_not_reach_the_terminal() {
        check(
            "\u{1b}[2J\n",
            "",
            "--- a.rego\n+++ a.rego (formatted)\n@@ -1,1 +0,0 @@\n-\\u{1b}[2J\n",
        );
    }
}
