//! When the source is looked at next. Pure: the randomness is an argument.

use std::time::Duration;

/// A source that is away for a day is found again within this.
const MAX_BACKOFF: Duration = Duration::from_secs(300);
/// While there is no bundle at all nothing can be served, so the first tries come quickly.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The wait before the next look. `random` lies in 0..1 and spreads a fleet over ±10 %.
pub(super) fn delay(interval: Duration, failures: u32, has_bundle: bool, random: f64) -> Duration {
    let start = if failures > 0 && !has_bundle { interval.min(FIRST_RETRY) } else { interval };
    let doubled = start.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(MAX_BACKOFF.max(interval)).mul_f64(0.9 + 0.2 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(interval: u64, failures: u32, has_bundle: bool, expected: u64) {
        let wait = delay(Duration::from_secs(interval), failures, has_bundle, 0.5);
        assert_eq!(wait.as_millis(), u128::from(expected) * 1_000);
    }

    #[test]
    fn without_failures_the_interval_holds() {
        check(30, 0, true, 30);
        check(30, 0, false, 30);
        check(3_600, 0, true, 3_600);
    }

    #[test]
    fn failures_double_the_wait_up_to_the_cap() {
        check(30, 1, true, 30);
        check(30, 2, true, 60);
        check(30, 5, true, 300);
        check(30, u32::MAX, true, 300);
        check(3_600, 7, true, 3_600);
    }

    #[test]
    fn without_a_bundle_the_first_tries_come_quickly() {
        check(30, 1, false, 1);
        check(30, 4, false, 8);
        check(30, 40, false, 300);
    }

    #[test]
    fn a_fleet_is_spread() {
        let at = |random| delay(Duration::from_secs(100), 0, true, random).as_secs();
        assert_eq!((at(0.0), at(1.0)), (90, 110));
    }
}
