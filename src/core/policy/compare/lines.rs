//! The lines in which two short texts differ, with a little of what stands around them.

use serde::{Deserialize, Serialize};

/// Lines before and behind a change, so that a reader sees where it is.
const CONTEXT: usize = 2;
/// Pairs of lines to compare for one item: there may be thousands of items.
const MAX_PAIRS: usize = 500 * 500;
/// A rule of people is shorter; of longer ones the start of the difference is shown.
const MAX_SHOWN: usize = 60;

/// One line of a difference, as in a unified diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Kept(String),
    Removed(String),
    Added(String),
    /// This many lines are not shown.
    LeftOut(usize),
}

/// A line of two texts, or of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Kept(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// What leads from one text to the other.
pub(super) fn difference(a: &str, b: &str) -> Vec<Line> {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    let line = |step| match step {
        Step::Kept(line) => Line::Kept(line.to_owned()),
        Step::Removed(line) => Line::Removed(line.to_owned()),
        Step::Added(line) => Line::Added(line.to_owned()),
    };
    shortened(steps(&a, &b, MAX_PAIRS).into_iter().map(line).collect())
}

/// Every line of both texts, what they share once; where more pairs of lines than `max_pairs` are
/// to be compared, what is between the start and the end that they share is one change.
#[must_use]
pub fn steps<'a>(a: &[&'a str], b: &[&'a str], max_pairs: usize) -> Vec<Step<'a>> {
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (head, a) = a.split_at(start);
    let (_, b) = b.split_at(start);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, tail) = a.split_at(a.len() - end);
    let (b, _) = b.split_at(b.len() - end);
    let mut steps: Vec<_> = head.iter().copied().map(Step::Kept).collect();
    // The table has a row and a column more.
    let pairs = (a.len() + 1).saturating_mul(b.len() + 1);
    if a.is_empty() || b.is_empty() || pairs > max_pairs {
        steps.extend(a.iter().copied().map(Step::Removed));
        steps.extend(b.iter().copied().map(Step::Added));
    } else {
        walk(a, b, &mut steps);
    }
    steps.extend(tail.iter().copied().map(Step::Kept));
    steps
}

/// Along the longest common subsequence of lines, by the table of the lengths that are left.
fn walk<'a>(a: &[&'a str], b: &[&'a str], steps: &mut Vec<Step<'a>>) {
    let width = b.len() + 1;
    let mut table = vec![0_u32; (a.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    let read = |table: &[u32], i, j| table.get(at(i, j)).copied().unwrap_or_default();
    for (i, line_a) in a.iter().enumerate().rev() {
        for (j, line_b) in b.iter().enumerate().rev() {
            let best = match line_a == line_b {
                true => read(&table, i + 1, j + 1) + 1,
                false => read(&table, i + 1, j).max(read(&table, i, j + 1)),
            };
            if let Some(cell) = table.get_mut(at(i, j)) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (a.get(i), b.get(j)) {
            (Some(line_a), Some(line_b)) if line_a == line_b => {
                steps.push(Step::Kept(line_a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(line), other)
                if other.is_none() || read(&table, i + 1, j) >= read(&table, i, j + 1) =>
            {
                steps.push(Step::Removed(line));
                i += 1;
            }
            (_, Some(line)) => {
                steps.push(Step::Added(line));
                j += 1;
            }
            (_, None) => return,
        }
    }
}

/// Leaves out what is kept far from any change, and what is too much to read.
fn shortened(lines: Vec<Line>) -> Vec<Line> {
    let is_kept = |line: &Line| matches!(line, Line::Kept(_));
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| !is_kept(line)).map(|(at, _)| at).collect();
    let mut next = changed.iter().copied().peekable();
    let mut last: Option<usize> = None;
    let mut shown = Vec::new();
    let mut left_out = 0;
    for (at, line) in lines.into_iter().enumerate() {
        if next.peek() == Some(&at) {
            last = next.next();
        }
        let is_before = next.peek().is_some_and(|next| next - at <= CONTEXT);
        let is_near = is_before || last.is_some_and(|last| at - last <= CONTEXT);
        if !is_near || shown.len() >= MAX_SHOWN {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            shown.push(Line::LeftOut(std::mem::take(&mut left_out)));
        }
        shown.push(line);
    }
    if left_out > 0 {
        shown.push(Line::LeftOut(left_out));
    }
    match changed.is_empty() {
        true => Vec::new(),
        false => shown,
    }
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, expected: &str) {
        let show = |line: &Line| match line {
            Line::Kept(text) => format!(" {text}"),
            Line::Removed(text) => format!("-{text}"),
            Line::Added(text) => format!("+{text}"),
            Line::LeftOut(count) => format!("~{count}"),
        };
        let seen: Vec<String> = difference(a, b).iter().map(show).collect();
        assert_eq!(seen.join("|"), expected);
    }

    #[test]
    fn changed_lines_stand_with_what_is_around_them() {
        check("a\nb\nc", "a\nb\nc", "");
        check("a\nb\nc", "a\nx\nc", " a|-b|+x| c");
        check("", "a\nb", "+a|+b");
        check("a\nb", "", "-a|-b");
        check("a\nb\nc\nd", "b\nx\nd", "-a| b|-c|+x| d");
        check("1\n2\n3\n4\n5\n6\n7", "1\n2\n3\nx\n5\n6\n7", "~1| 2| 3|-4|+x| 5| 6|~1");
    }

    #[test]
    fn what_needs_too_large_a_table_is_one_change() {
        let (a, b) = (["=", "x", "k", "y", "="], ["=", "k", "="]);
        let [kept, removed, added] = [Step::Kept, Step::Removed, Step::Added];
        let around = |between: &[Step<'static>]| [&[kept("=")], between, &[kept("=")]].concat();
        let fine = around(&[removed("x"), kept("k"), removed("y")]);
        let coarse = around(&[removed("x"), removed("k"), removed("y"), added("k")]);
        assert_eq!(steps(&a, &b, 8), fine, "three lines and one have a table of four rows by two");
        assert_eq!(steps(&a, &b, 7), coarse);
        assert_eq!(steps(&a, &["=", "="], 0), around(&[removed("x"), removed("k"), removed("y")]));
        assert_eq!(steps(&[], &["k"], 0), [added("k")]);
    }

    #[test]
    fn long_differences_are_cut() {
        let many = |prefix: &str, count: usize| {
            (0..count).map(|n| format!("{prefix}{n}\n")).collect::<String>()
        };
        let lines = difference(&many("a", 600), &many("b", 600));
        assert_eq!(lines.len(), MAX_SHOWN + 1);
        assert_eq!(lines.last(), Some(&Line::LeftOut(1200 - MAX_SHOWN)));
    }
}
