//! The one place that asks what time it is, and that notices when the answer cannot be true.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use portreeve_core::Timestamp;

/// No clock that is set shows an earlier time than the beginning of the year that this version is of.
/// It is written here, and not taken from the build, so that two builds of one source are the same; a
/// test holds it to the newest release of `CHANGELOG.md`.
const RELEASED: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);
/// What a clock may be set back by without being suspect: a correction by NTP.
const CORRECTION_MICROS: i64 = 60 * 1_000_000;

/// Wall-clock time for records, certificates and policies. Waiting is done with tokio's timers.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Set in tests; otherwise the system is asked.
    manual: Option<Arc<AtomicI64>>,
    floor: Arc<Floor>,
}

/// What is known to have been.
#[derive(Debug)]
struct Floor {
    released: Timestamp,
    /// Microseconds; the least of all numbers until a record is known.
    recorded: AtomicI64,
}

/// What shows that a clock is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// This program was made later.
    Release,
    /// Our own log has a later record.
    Record,
    /// Our own SVID begins later.
    Svid,
}

/// The clock shows a time that cannot be: all that depends on the time would be judged wrongly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock says {now}, but {} {earliest}: is the clock set?", evidence.words())]
pub struct ClockSuspect {
    pub now: Timestamp,
    pub earliest: Timestamp,
    pub evidence: Evidence,
}

impl Clock {
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until [`Self::set`] moves it. A test may begin before the release;
    /// what is suspect is then a time before that beginning.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        let manual = Some(Arc::new(AtomicI64::new(start.unix_micros())));
        Self { manual, floor: Floor::from(RELEASED.min(start)) }
    }

    /// Takes in that our own log has a record of this time.
    pub fn has_recorded(&self, at: Timestamp) {
        self.floor.recorded.fetch_max(at.unix_micros(), Ordering::Relaxed);
    }

    /// Whether the time can be true, by what this program and its log know.
    ///
    /// # Errors
    /// It lies before something that has been.
    pub fn check(&self) -> Result<(), ClockSuspect> {
        let now = self.now();
        if now < self.floor.released {
            let earliest = self.floor.released;
            return Err(ClockSuspect { now, earliest, evidence: Evidence::Release });
        }
        let recorded = self.floor.recorded.load(Ordering::Relaxed);
        if now.unix_micros() < recorded.saturating_sub(CORRECTION_MICROS) {
            let earliest = Timestamp::from_unix_micros(recorded);
            return Err(ClockSuspect { now, earliest, evidence: Evidence::Record });
        }
        Ok(())
    }

    /// The same, with an SVID of our own that begins at `not_before`.
    ///
    /// # Errors
    /// The time lies before something that has been.
    pub fn check_with(&self, not_before: Timestamp) -> Result<(), ClockSuspect> {
        self.check()?;
        let now = self.now();
        // X.509 times are whole seconds.
        if now.unix_seconds() < not_before.unix_seconds() {
            return Err(ClockSuspect { now, earliest: not_before, evidence: Evidence::Svid });
        }
        Ok(())
    }

    /// Moves a manual clock; a system clock is not moved.
    pub fn set(&self, to: Timestamp) {
        if let Some(manual) = &self.manual {
            manual.store(to.unix_micros(), Ordering::Relaxed);
        }
    }

    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that all others ask")]
    pub fn now(&self) -> Timestamp {
        if let Some(manual) = &self.manual {
            return Timestamp::from_unix_micros(manual.load(Ordering::Relaxed));
        }
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        };
        Timestamp::from_unix_micros(micros)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { manual: None, floor: Floor::from(RELEASED) }
    }
}

impl Floor {
    fn from(released: Timestamp) -> Arc<Self> {
        Arc::new(Self { released, recorded: AtomicI64::new(i64::MIN) })
    }
}

impl ClockSuspect {
    /// The stable code of readiness, records and refused handshakes.
    pub const REASON: &str = "clock.suspect";
}

impl Evidence {
    /// A stable word for records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Record => "record",
            Self::Svid => "svid",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Release => "this version was released after",
            Self::Record => "our own log has a record of",
            Self::Svid => "our SVID begins at",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(RELEASED.unix_seconds() + seconds)
    }

    #[track_caller]
    fn check(clock: &Clock, not_before: Timestamp, expected: Option<Evidence>) {
        let seen = clock.check_with(not_before).err().map(|suspect| suspect.evidence);
        assert_eq!(seen, expected, "{}", clock.now());
    }

    #[test]
    fn a_clock_is_suspect_before_the_release_and_not_from_it_on() {
        let clock = Clock::manual(at(0));
        check(&clock, at(0), None);
        clock.set(at(-1));
        check(&clock, at(-HOUR), Some(Evidence::Release));
        clock.set(at(1));
        check(&clock, at(0), None);
    }

    #[test]
    fn a_clock_is_suspect_a_minute_before_the_last_record() {
        let clock = Clock::manual(at(HOUR));
        clock.has_recorded(at(HOUR + 60));
        check(&clock, at(0), None);
        clock.has_recorded(at(HOUR + 61));
        check(&clock, at(0), Some(Evidence::Record));
        clock.has_recorded(at(0));
        check(&clock, at(0), Some(Evidence::Record));
        clock.set(at(HOUR + 1));
        check(&clock, at(0), None);
    }

    #[test]
    fn a_clock_is_suspect_before_our_svid_begins() {
        let clock = Clock::manual(at(HOUR));
        check(&clock, at(HOUR + 1), Some(Evidence::Svid));
        check(&clock, at(HOUR), None);
        let words = clock.check_with(at(HOUR + 1)).unwrap_err().to_string();
        let expected = "the clock says 2026-01-01T01:00:00.000000Z, but our SVID begins at \
                        2026-01-01T01:00:01.000000Z: is the clock set?";
        assert_eq!(words, expected);
    }

    /// What is wrong with [`RELEASED`] by the newest heading `## 1.2.3 - 2026-12-01` of a changelog. Before
    /// the first release there is none, and the version is the first.
    fn wrong(changelog: &str, version: &str) -> Option<String> {
        let mut headings = changelog.lines().filter_map(|line| line.strip_prefix("## "));
        let released = headings.find(|heading| *heading != "Unreleased");
        let Some(released) = released else {
            return (version != "0.1.0").then(|| format!("{version} is not in the changelog"));
        };
        let Some(date) = released.strip_prefix(version).and_then(|rest| rest.strip_prefix(" - "))
        else {
            return Some(format!("the newest release is `{released}`, and this is {version}"));
        };
        let year = date.split('-').next().unwrap_or_default();
        let begins = RELEASED.to_string();
        (!begins.starts_with(&format!("{year}-01-01T00:00:00")))
            .then(|| format!("{version} is of {year}, and RELEASED says {begins}"))
    }

    #[test]
    fn the_release_is_of_the_year_that_the_changelog_says() {
        assert_eq!(wrong(include_str!("../CHANGELOG.md"), env!("CARGO_PKG_VERSION")), None);
        assert_eq!(wrong("## Unreleased\n", "0.1.0"), None);
        assert_eq!(
            wrong("## Unreleased\n## 0.2.0 - 2026-12-31\n## 0.1.0 - 2025-01-01", "0.2.0"),
            None
        );
        assert!(wrong("## 0.2.0 - 2027-01-01\n", "0.2.0").is_some());
        assert!(wrong("## Unreleased\n## 0.1.0 - 2026-12-31\n", "0.2.0").is_some());
        assert!(wrong("## Unreleased\n", "0.2.0").is_some());
    }

    #[test]
    fn the_clock_of_this_machine_is_not_suspect() {
        assert_eq!(Clock::system().check(), Ok(()));
    }
}
