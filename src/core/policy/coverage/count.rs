//! How much of what could be reached was.

use std::fmt;
use std::iter::Sum;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub covered: usize,
    pub total: usize,
}

impl Count {
    /// Of an answer to each of several questions.
    pub(super) fn of(answers: impl IntoIterator<Item = bool>) -> Self {
        answers.into_iter().map(|is_yes| Self { covered: usize::from(is_yes), total: 1 }).sum()
    }

    /// From 0 to 100, rounded down to hundredths, so that 100 means all; 100 also of nothing.
    #[must_use]
    pub fn percent(self) -> f64 {
        f64::from(u32::try_from(self.hundredths()).unwrap_or(0)) / 100.0
    }

    /// Whether it is at least so many percent, without rounding in its favour.
    #[must_use]
    pub fn reaches(self, percent: f64) -> bool {
        self.percent() >= percent
    }

    fn hundredths(self) -> u128 {
        let (covered, total) = (self.covered as u128, self.total as u128);
        covered.saturating_mul(10_000).checked_div(total).unwrap_or(10_000)
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| Self {
            covered: a.covered.saturating_add(b.covered),
            total: a.total.saturating_add(b.total),
        })
    }
}

/// The percentage, such as `66.6 %` or `100 %`.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.hundredths() / 10;
        match (tenths / 10, tenths % 10) {
            (whole, 0) => write!(f, "{whole} %"),
            (whole, tenth) => write!(f, "{whole}.{tenth} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(covered: usize, total: usize, text: &str, percent: f64) {
        let count = Count { covered, total };
        assert_eq!(count.to_string(), text);
        assert!((count.percent() - percent).abs() < 1e-9, "{}", count.percent());
        assert!(count.reaches(percent) && !count.reaches(percent + 0.01));
    }

    #[test]
    fn a_percentage_is_never_rounded_up() {
        check(2, 3, "66.6 %", 66.66);
        check(9_999, 10_000, "99.9 %", 99.99);
        check(99_999, 100_000, "99.9 %", 99.99);
        check(1, 1, "100 %", 100.0);
        check(0, 7, "0 %", 0.0);
    }

    #[test]
    fn nothing_to_cover_is_covered() {
        check(0, 0, "100 %", 100.0);
    }
}
