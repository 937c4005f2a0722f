//! The time of the request as `time.now_ns()`: set before an evaluation, read by an extension that
//! takes the builtin's place, so that replaying a request repeats its decision.

use std::cell::Cell;

use regorus::{Engine, Value};

use crate::Timestamp;

thread_local! {
    static NOW_NS: Cell<i64> = const { Cell::new(0) };
}

pub(super) fn set(time: Timestamp) {
    NOW_NS.set(time.unix_micros().saturating_mul(1_000));
}

pub(super) fn install(engine: &mut Engine) {
    let now = |_: Vec<Value>| Ok(Value::from(NOW_NS.get()));
    // It fails only where the name is taken by another extension; a new engine has none.
    let _ = engine.add_extension("time.now_ns".to_owned(), 0, Box::new(now));
}
