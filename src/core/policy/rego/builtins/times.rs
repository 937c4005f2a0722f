//! Times: regorus' functions kept from the layouts that make them panic and from the time zone of the
//! machine, which a decision may not depend on; and dates that add up as in Go.

use regorus::Value;
use time::{Date, Month};

use super::arguments::{at, error, integer, regorus, string};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "time.parse_ns", arity: 2, run: parse_ns },
    Builtin { name: "time.format", arity: 1, run: format },
    Builtin { name: "time.clock", arity: 1, run: |arguments| of_zones("time.clock", arguments) },
    Builtin { name: "time.date", arity: 1, run: |arguments| of_zones("time.date", arguments) },
    Builtin { name: "time.diff", arity: 2, run: |arguments| of_zones("time.diff", arguments) },
    Builtin {
        name: "time.weekday",
        arity: 1,
        run: |arguments| of_zones("time.weekday", arguments),
    },
    Builtin { name: "time.add_date", arity: 4, run: add_date },
];

/// A layout is a date written by hand.
pub(super) const MAX_LAYOUT_BYTES: usize = 256;
const DAY_NS: i128 = 86_400 * 1_000_000_000;
/// The day that nanoseconds count from, as the `time` crate counts days.
const EPOCH_JULIAN_DAY: i128 = 2_440_588;

fn of_zones(name: &str, arguments: &[Value]) -> Result<Value, BuiltinError> {
    for argument in arguments {
        if let Value::Array(parts) = argument
            && parts.get(1) == Some(&Value::from("Local"))
        {
            return error("the time zone `Local` is the machine's: name one");
        }
    }
    regorus(name, arguments)
}

fn check_layout(layout: &str) -> Result<(), BuiltinError> {
    if layout.len() > MAX_LAYOUT_BYTES {
        return error(format!("the layout is longer than {MAX_LAYOUT_BYTES} bytes"));
    }
    if !layout.is_ascii() {
        return error("the layout holds a character that is not ASCII");
    }
    Ok(())
}

fn parse_ns(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let layout = string(arguments, 0)?;
    check_layout(layout)?;
    // An offset of hours alone can be written, not read.
    let is_short = |behind: &str| !behind.starts_with("00") && !behind.starts_with(":00");
    if layout.split("-07").skip(1).any(is_short) {
        return error("the layout has `-07` without minutes");
    }
    regorus("time.parse_ns", arguments)
}

fn format(arguments: &[Value]) -> Result<Value, BuiltinError> {
    if let Value::Array(parts) = at(arguments, 0)?
        && let Some(Value::String(layout)) = parts.get(2)
    {
        check_layout(layout)?;
    }
    of_zones("time.format", arguments)
}

/// In UTC; a day that a month does not have runs over into the next.
fn add_date(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let moment = i128::from(integer(arguments, 0)?);
    let date = julian(moment.div_euclid(DAY_NS)).ok_or_else(out_of_range)?;
    let months = i64::from(date.year())
        .checked_add(integer(arguments, 1)?)
        .and_then(|year| year.checked_mul(12))
        .and_then(|months| months.checked_add(i64::from(u8::from(date.month())) - 1))
        .and_then(|months| months.checked_add(integer(arguments, 2).ok()?))
        .ok_or_else(out_of_range)?;
    let first = i32::try_from(months.div_euclid(12)).ok().and_then(|year| {
        let month = u8::try_from(months.rem_euclid(12) + 1).ok()?;
        Date::from_calendar_date(year, Month::try_from(month).ok()?, 1).ok()
    });
    let first = i128::from(first.ok_or_else(out_of_range)?.to_julian_day());
    let days =
        first - EPOCH_JULIAN_DAY + i128::from(date.day()) - 1 + i128::from(integer(arguments, 3)?);
    let moved = days * DAY_NS + moment.rem_euclid(DAY_NS);
    Ok(Value::from(i64::try_from(moved).map_err(|_| out_of_range())?))
}

fn julian(days: i128) -> Option<Date> {
    let day = i32::try_from(days + EPOCH_JULIAN_DAY).ok()?;
    Date::from_julian_day(day).ok()
}

fn out_of_range() -> BuiltinError {
    BuiltinError("the time is out of range".to_owned())
}
