//! `sprintf` as Go formats what OPA hands it: integers, floating point numbers, and everything else
//! as text.

use std::iter::Peekable;
use std::str::Chars;

use regorus::Value;

use super::arguments::{at, check_text, error, kind, regorus, string};
use super::template::write_term;
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[Builtin { name: "sprintf", arity: 2, run: sprintf }];

/// Of a width or a precision; a column of a report is narrower.
pub(super) const MAX_WIDTH: usize = 1_000;

#[derive(Debug, Default)]
struct Directive {
    left: bool,
    plus: bool,
    space: bool,
    zeros: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    verb: Option<char>,
}

fn sprintf(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let mut format = string(arguments, 0)?.chars().peekable();
    let Value::Array(values) = at(arguments, 1)? else {
        return error(format!("argument 2 must be an array, not {}", kind(at(arguments, 1)?)));
    };
    let mut values = values.iter();
    let mut text = String::new();
    while let Some(next) = format.next() {
        check_text(text.len())?;
        if next != '%' {
            text.push(next);
            continue;
        }
        let directive = read(&mut format, &mut values)?;
        match directive.verb {
            None => text.push_str("%!(NOVERB)"),
            Some('%') => text.push('%'),
            Some(verb) => match values.next() {
                None => text.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => text.push_str(&directive.format(verb, value)?),
            },
        }
    }
    let extra = values.map(bad).collect::<Result<Vec<_>, _>>()?;
    if !extra.is_empty() {
        text.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    check_text(text.len())?;
    Ok(Value::from(text))
}

fn read<'a>(
    format: &mut Peekable<Chars<'_>>,
    values: &mut impl Iterator<Item = &'a Value>,
) -> Result<Directive, BuiltinError> {
    let mut directive = Directive::default();
    while let Some(flag) = format.next_if(|c| "-+ 0#".contains(*c)) {
        match flag {
            '-' => directive.left = true,
            '+' => directive.plus = true,
            ' ' => directive.space = true,
            '0' => directive.zeros = true,
            _ => directive.alternate = true,
        }
    }
    directive.width = number(format, values)?.unwrap_or_default();
    if format.next_if_eq(&'.').is_some() {
        directive.precision = Some(number(format, values)?.unwrap_or_default());
    }
    directive.verb = format.next();
    if directive.verb == Some('[') {
        return error("the format picks an argument by its index");
    }
    Ok(directive)
}

fn number<'a>(
    format: &mut Peekable<Chars<'_>>,
    values: &mut impl Iterator<Item = &'a Value>,
) -> Result<Option<usize>, BuiltinError> {
    let mut number = None;
    if format.next_if_eq(&'*').is_some() {
        let width = values.next().and_then(|value| value.as_u64().ok());
        let Some(width) = width else { return error("the width is no number") };
        number = Some(usize::try_from(width).unwrap_or(usize::MAX));
    }
    while let Some(digit) = format.next_if(char::is_ascii_digit).and_then(|c| c.to_digit(10)) {
        number = Some(number.unwrap_or_default().saturating_mul(10).saturating_add(digit as usize));
        if number > Some(MAX_WIDTH) {
            break;
        }
    }
    if number > Some(MAX_WIDTH) {
        return error(format!("the format is wider than {MAX_WIDTH} characters"));
    }
    Ok(number)
}

/// What Go writes where verb and value do not fit: its type and the value.
fn bad(value: &Value) -> Result<String, BuiltinError> {
    let kind = match value {
        Value::Number(number) if !number.is_integer() => "float64",
        Value::Number(number) if number.as_i64().is_some() => "int64",
        Value::Number(_) => "*big.Int",
        _ => "string",
    };
    Ok(format!("{kind}={}", plain(value)?))
}

fn plain(value: &Value) -> Result<String, BuiltinError> {
    let mut text = String::new();
    match value {
        Value::String(value) => text.push_str(value),
        other => write_term(other, &mut text)?,
    }
    Ok(text)
}

impl Directive {
    fn format(&self, verb: char, value: &Value) -> Result<String, BuiltinError> {
        let formatted = match (verb, value) {
            ('v', Value::Number(_)) => self.signed(&plain(value)?),
            // Go's large integers know `%s`, its small ones do not.
            ('s', Value::Number(number)) if number.is_integer() && number.as_i64().is_none() => {
                self.signed(&plain(value)?)
            }
            ('d' | 'x' | 'X' | 'o' | 'b' | 'c' | 'U', Value::Number(number))
                if number.is_integer() =>
            {
                self.integer(verb, value)?
            }
            ('e' | 'E' | 'f' | 'F' | 'g' | 'G', Value::Number(number)) if !number.is_integer() => {
                self.float(verb, number.as_f64().unwrap_or_default())
            }
            ('T', _) => Some(bad(value)?.split('=').next().unwrap_or_default().to_owned()),
            (_, Value::Number(_)) => None,
            ('s' | 'v', _) => Some(self.cut(&plain(value)?)),
            ('q', _) => {
                let text = Value::from(vec![Value::from(self.cut(&plain(value)?))]);
                let quoted = regorus("sprintf", &[Value::from("%q"), text])?;
                Some(plain(&quoted)?)
            }
            ('x' | 'X', _) => {
                let hex: String = plain(value)?.bytes().map(|byte| format!("{byte:02x}")).collect();
                Some(if verb == 'X' { hex.to_uppercase() } else { hex })
            }
            _ => None,
        };
        match formatted {
            Some(text) => Ok(self.padded(text, matches!(value, Value::Number(_)))),
            None => Ok(format!("%!{verb}({})", bad(value)?)),
        }
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn signed(&self, text: &str) -> Option<String> {
        let sign = match (text.starts_with('-'), self.plus, self.space) {
            (true, _, _) => "",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        Some(format!("{sign}{text}"))
    }

    fn integer(&self, verb: char, value: &Value) -> Result<Option<String>, BuiltinError> {
        let code = || value.as_u32().ok();
        let (base, prefix) = match verb {
            'c' => return Ok(code().and_then(char::from_u32).map(String::from)),
            'U' => return Ok(code().map(|code| format!("U+{code:04X}"))),
            'x' => (16_u64, "0x"),
            'X' => (16, "0X"),
            'o' => (8, "0"),
            'b' => (2, "0b"),
            _ => (10, ""),
        };
        let digits = super::numbers::format_int(&[value.clone(), Value::from(base)])?;
        let digits = plain(&digits)?;
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |d| ("-", d));
        let prefix = if self.alternate { prefix } else { "" };
        let digits = if verb == 'X' { digits.to_uppercase() } else { digits.to_owned() };
        let least = self.precision.unwrap_or_default();
        Ok(self.signed(&format!("{sign}{prefix}{digits:0>least$}")))
    }

    fn float(&self, verb: char, number: f64) -> Option<String> {
        let precision = self.precision.unwrap_or(6);
        let text = match verb {
            'f' | 'F' => format!("{number:.precision$}"),
            'e' | 'E' => {
                let text = format!("{number:.precision$e}");
                let (mantissa, exponent) = text.split_once('e')?;
                let exponent: i32 = exponent.parse().ok()?;
                let sign = if exponent < 0 { '-' } else { '+' };
                format!("{mantissa}e{sign}{:02}", exponent.abs())
            }
            // The shortest form that reads back; a precision here has no use in a policy.
            _ => number.to_string(),
        };
        self.signed(&if verb == 'E' { text.to_uppercase() } else { text })
    }

    fn padded(&self, text: String, is_number: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.left {
            return text + &" ".repeat(missing);
        }
        if !self.zeros {
            return " ".repeat(missing) + &text;
        }
        let sign = text.chars().next().filter(|c| is_number && "+- ".contains(*c));
        let digits = sign.map_or(text.as_str(), |sign| text.trim_start_matches(sign));
        format!("{}{}{digits}", sign.map(String::from).unwrap_or_default(), "0".repeat(missing))
    }
}
