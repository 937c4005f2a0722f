//! The time of the request as `time.now_ns()`: set before an evaluation, read by the builtin, so that
//! replaying a request repeats its decision.

use std::cell::Cell;

use regorus::Value;

use super::Builtin;
use crate::Timestamp;

thread_local! {
    static NOW_NS: Cell<i64> = const { Cell::new(0) };
}

pub(super) const BUILTINS: &[Builtin] =
    &[Builtin { name: "time.now_ns", arity: 0, run: |_| Ok(Value::from(now_ns())) }];

/// Says what the time is on this thread, until it is said again.
pub(in super::super) fn set_now(time: Timestamp) {
    NOW_NS.set(time.unix_micros().saturating_mul(1_000));
}

/// The request's time in nanoseconds since 1970.
pub(super) fn now_ns() -> i64 {
    NOW_NS.get()
}
