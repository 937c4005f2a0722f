//! Numbers whose size or count an argument sets.

use regorus::Value;

use super::arguments::{at, check_elements, error, integer, kind, regorus};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "numbers.range", arity: 2, run: range },
    Builtin { name: "numbers.range_step", arity: 3, run: range_step },
    Builtin { name: "bits.lsh", arity: 2, run: bits_lsh },
    Builtin { name: "to_number", arity: 1, run: to_number },
    Builtin { name: "units.parse", arity: 1, run: |arguments| units("units.parse", arguments) },
    Builtin {
        name: "units.parse_bytes",
        arity: 1,
        run: |arguments| units("units.parse_bytes", arguments),
    },
    Builtin { name: "format_int", arity: 2, run: format_int },
    Builtin { name: "product", arity: 1, run: product },
];

/// Keys of 4,096 bits are the largest numbers that a policy compares.
pub(super) const MAX_SHIFT: i64 = 4096;
/// What a written number may take, and with it the digits of a number that a request can hold.
pub(super) const MAX_NUMBER_BYTES: usize = 1024;
/// Above it the digits of `1e400` would be written out; 308 is where floating point ends.
pub(super) const MAX_EXPONENT: u32 = 308;
/// Factors of one product: each makes the number longer.
pub(super) const MAX_FACTORS: usize = 1_000;

fn range(arguments: &[Value]) -> Result<Value, BuiltinError> {
    steps(integer(arguments, 0)?, integer(arguments, 1)?, 1)
}

fn range_step(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let step = integer(arguments, 2);
    match step {
        Ok(step) if step <= 0 => error("the step must be above zero"),
        // It leads out of any range that fits.
        Err(_) if is_large(at(arguments, 2)?) => {
            Ok(Value::from(vec![Value::from(integer(arguments, 0)?)]))
        }
        _ => steps(integer(arguments, 0)?, integer(arguments, 1)?, step?.unsigned_abs()),
    }
}

fn is_large(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.is_integer() && number.is_positive())
}

fn steps(first: i64, last: i64, step: u64) -> Result<Value, BuiltinError> {
    let count = first.abs_diff(last) / step;
    check_elements(usize::try_from(count).unwrap_or(usize::MAX).saturating_add(1))?;
    let number = |index: u64| {
        let distance = index * step;
        Value::from(if first <= last {
            first.wrapping_add_unsigned(distance)
        } else {
            first.wrapping_sub_unsigned(distance)
        })
    };
    Ok(Value::from((0..=count).map(number).collect::<Vec<_>>()))
}

fn bits_lsh(arguments: &[Value]) -> Result<Value, BuiltinError> {
    if integer(arguments, 1)? > MAX_SHIFT {
        return error(format!("it shifts by more than {MAX_SHIFT} bits"));
    }
    check_size(at(arguments, 0)?)?;
    regorus("bits.lsh", arguments)
}

/// The digits of a number are written out only where they can be many.
pub(super) fn check_size(value: &Value) -> Result<(), BuiltinError> {
    let Value::Number(number) = value else { return Ok(()) };
    let is_small = number.as_i128().is_some() || !number.is_integer();
    if !is_small && number.as_big().is_some_and(|big| big.bits() > 2 * MAX_SHIFT.unsigned_abs()) {
        return error(format!("the number has more than {} bits", 2 * MAX_SHIFT));
    }
    Ok(())
}

fn to_number(arguments: &[Value]) -> Result<Value, BuiltinError> {
    if let Value::String(text) = at(arguments, 0)? {
        let is_json = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
        if !text.bytes().all(is_json) {
            return error("the text is no number");
        }
        check_written(text)?;
    }
    regorus("to_number", arguments)
}

fn units(name: &str, arguments: &[Value]) -> Result<Value, BuiltinError> {
    let Value::String(text) = at(arguments, 0)? else {
        return error(format!("argument 1 must be a string, not {}", kind(at(arguments, 0)?)));
    };
    check_written(text)?;
    regorus(name, arguments)
}

fn check_written(text: &str) -> Result<(), BuiltinError> {
    if text.len() > MAX_NUMBER_BYTES {
        return error(format!("the number is longer than {MAX_NUMBER_BYTES} bytes"));
    }
    // The unit `E`, as in `10Ei`, is no exponent: no digits follow it.
    let exponents = text.split(['e', 'E']).skip(1);
    for exponent in exponents {
        let digits = exponent.trim_start_matches(['+', '-']);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let digits = digits.get(..end).unwrap_or_default();
        let is_far =
            |digits: &str| digits.parse().map_or(true, |exponent: u32| exponent > MAX_EXPONENT);
        if !digits.is_empty() && is_far(digits) {
            return error(format!("the exponent is above {MAX_EXPONENT}"));
        }
    }
    Ok(())
}

pub(super) fn format_int(arguments: &[Value]) -> Result<Value, BuiltinError> {
    check_size(at(arguments, 0)?)?;
    regorus("format_int", arguments)
}

fn product(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let factors = super::arguments::elements(arguments, 0)?;
    if factors.len() > MAX_FACTORS {
        return error(format!("there are more than {MAX_FACTORS} factors"));
    }
    factors.into_iter().try_for_each(check_size)?;
    regorus("product", arguments)
}
