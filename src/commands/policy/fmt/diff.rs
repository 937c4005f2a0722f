//! What changes from one text to another, as `diff -u` writes it.

use std::fmt::Write as _;

use portreeve_core::policy::compare::{Step, steps};

use super::super::report::printable;

/// Lines around a change.
const CONTEXT: usize = 3;
/// Pairs of lines to compare, in 64 MiB; where more differ they are shown as one change.
const MAX_PAIRS: usize = 16 << 20;

/// The difference with its header; empty where there is none.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    let before: Vec<_> = before.split_inclusive('\n').collect();
    let after: Vec<_> = after.split_inclusive('\n').collect();
    let lines = steps(&before, &after, MAX_PAIRS);
    let is_changed = |line: &Step<'_>| !matches!(line, Step::Kept(_));
    let mut text = String::new();
    let (mut start, mut above) = (0, (0, 0));
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
        // What is between two hunks is in both texts.
        above = (above.0 + from - start, above.1 + from - start);
        hunk(&mut text, &mut above, lines.get(from..to).unwrap_or_default());
        start = to;
    }
    text
}

fn position(lines: &[Step<'_>], from: usize, wanted: impl Fn(&Step<'_>) -> bool) -> Option<usize> {
    lines.iter().enumerate().skip(from).find(|(_, line)| wanted(line)).map(|(at, _)| at)
}

/// Writes one hunk; `above` are the lines of each text before it, and then those behind it.
fn hunk(text: &mut String, above: &mut (usize, usize), shown: &[Step<'_>]) {
    let before = shown.iter().filter(|line| !matches!(line, Step::Added(_))).count();
    let after = shown.iter().filter(|line| !matches!(line, Step::Removed(_))).count();
    let range = |above, count| format!("{},{count}", above + usize::from(count > 0));
    let _ = writeln!(text, "@@ -{} +{} @@", range(above.0, before), range(above.1, after));
    *above = (above.0 + before, above.1 + after);
    for line in shown {
        let (mark, line) = match line {
            Step::Kept(line) => (' ', line),
            Step::Removed(line) => ('-', line),
            Step::Added(line) => ('+', line),
        };
        let _ = writeln!(text, "{mark}{}", printable(line.trim_end_matches('\n')));
        if !line.ends_with('\n') {
            text.push_str("\\ No newline at end of file\n");
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
        check(
            &format!("a\n{far}b\n"),
            &format!("c\nd\n{far}e\n"),
            "--- a.rego\n+++ a.rego (formatted)\n@@ -1,4 +1,5 @@\n-a\n+c\n+d\n x\n x\n x\n\
             @@ -6,4 +7,4 @@\n x\n x\n x\n-b\n+e\n",
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
