//! Which lines of a Rego module were evaluated.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Count;

/// One module: the lines that hold something to evaluate, in two halves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCoverage {
    pub file: String,
    /// Lines from 1.
    pub covered: BTreeSet<u32>,
    pub not_covered: BTreeSet<u32>,
}

impl LineCoverage {
    #[must_use]
    pub fn count(&self) -> Count {
        let covered = self.covered.len();
        Count { covered, total: covered.saturating_add(self.not_covered.len()) }
    }

    /// The lines that no test reached, as ranges with both their ends.
    #[must_use]
    pub fn gaps(&self) -> Vec<(u32, u32)> {
        ranges(&self.not_covered)
    }

    /// The lines that a test reached, as ranges with both their ends.
    #[must_use]
    pub fn reached(&self) -> Vec<(u32, u32)> {
        ranges(&self.covered)
    }
}

fn ranges(lines: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if last.saturating_add(1) == *line => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_lines_are_one_range() {
        let lines = |lines: &[u32]| lines.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(ranges(&lines(&[1, 2, 3, 7, 9, 10])), [(1, 3), (7, 7), (9, 10)]);
        assert_eq!(ranges(&lines(&[])), []);
    }
}
