//! The lines in which two short texts differ, with a little of what stands around them.

use serde::{Deserialize, Serialize};

/// Lines before and behind a change, so that a reader sees where it is.
const CONTEXT: usize = 2;
/// Of each text: the table of the comparison has the square of this.
const MAX_COMPARED: usize = 500;
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

/// What leads from one text to the other.
pub(super) fn difference(a: &str, b: &str) -> Vec<Line> {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    let before = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (rest_a, rest_b) = (tail(&a, before), tail(&b, before));
    let behind = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle_a = rest_a.get(..rest_a.len() - behind).unwrap_or_default();
    let middle_b = rest_b.get(..rest_b.len() - behind).unwrap_or_default();
    let kept = |line: &&str| Line::Kept((*line).to_owned());
    let mut lines: Vec<Line> = a.iter().take(before).map(kept).collect();
    if middle_a.len() > MAX_COMPARED || middle_b.len() > MAX_COMPARED {
        lines.extend(middle_a.iter().map(|line| Line::Removed((*line).to_owned())));
        lines.extend(middle_b.iter().map(|line| Line::Added((*line).to_owned())));
    } else {
        walk(middle_a, middle_b, &mut lines);
    }
    lines.extend(tail(rest_a, rest_a.len() - behind).iter().map(kept));
    shortened(lines)
}

fn tail<'t, 'a>(lines: &'t [&'a str], from: usize) -> &'t [&'a str] {
    lines.get(from..).unwrap_or_default()
}

/// Along the longest common subsequence of lines.
fn walk(a: &[&str], b: &[&str], lines: &mut Vec<Line>) {
    let width = b.len() + 1;
    let mut table = vec![0_u16; (a.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    let read = |table: &[u16], i, j| table.get(at(i, j)).copied().unwrap_or_default();
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
                lines.push(Line::Kept((*line_a).to_owned()));
                (i, j) = (i + 1, j + 1);
            }
            (Some(line), other)
                if other.is_none() || read(&table, i + 1, j) >= read(&table, i, j + 1) =>
            {
                lines.push(Line::Removed((*line).to_owned()));
                i += 1;
            }
            (_, Some(line)) => {
                lines.push(Line::Added((*line).to_owned()));
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
    fn long_differences_are_cut() {
        let many = |prefix: &str, count: usize| {
            (0..count).map(|n| format!("{prefix}{n}\n")).collect::<String>()
        };
        let lines = difference(&many("a", 600), &many("b", 600));
        assert_eq!(lines.len(), MAX_SHOWN + 1);
        assert_eq!(lines.last(), Some(&Line::LeftOut(1200 - MAX_SHOWN)));
    }
}
