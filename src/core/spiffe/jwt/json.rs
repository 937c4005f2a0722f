//! JSON that means one thing: an object without a member twice, and no deeper than it need be.
//!
//! RFC 7515 §4 and RFC 7519 §4 leave it to the reader whether a name that occurs twice is refused or
//! the last one counts; two readers that choose differently see two tokens in one.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Claims of Kubernetes and of OIDC providers have three or four levels.
const MAX_DEPTH: usize = 16;

/// A token has a few dozen values; a thousand would be kept in memory at many times their bytes.
pub(super) const MAX_TOKEN_VALUES: usize = 512;
/// A thousand keys with a dozen members each.
pub(super) const MAX_BUNDLE_VALUES: usize = 32_768;

/// Why bytes are not read as an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    NoObject,
    DuplicateMember,
    TooDeep,
    TooManyValues,
}

/// Reads an object that is all there is.
///
/// # Errors
/// The bytes are no JSON object, have a member twice, are nested too deep or hold too many values.
pub(super) fn object(bytes: &[u8], most: usize) -> Result<Map<String, Value>, Fault> {
    let (fault, values) = (Cell::new(Fault::NoObject), Cell::new(most));
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0, fault: &fault, left: &values }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Fault::NoObject),
        Err(_) => Err(fault.get()),
    }
}

/// Reads one value at a depth, and keeps why it failed: serde's error is only a text.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    fault: &'a Cell<Fault>,
    /// How many values may still come.
    left: &'a Cell<usize>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.fails(Fault::TooDeep));
        }
        Ok(Self { depth: self.depth.saturating_add(1), ..self })
    }

    fn fails<E: serde::de::Error>(self, fault: Fault) -> E {
        self.fault.set(fault);
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(self.fails(Fault::TooManyValues)),
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not finite"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = from.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                return Err(self.fails(Fault::DuplicateMember));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Value, Fault>) {
        assert_eq!(
            object(text.as_bytes(), MAX_TOKEN_VALUES).map(Value::Object),
            expected,
            "{text}"
        );
    }

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let text = r#" {"a":[1,-1,1.5,"x\u0041",true,null,{}],"b":{"a":18446744073709551615}} "#;
        check(text, Ok(serde_json::from_str(text).unwrap()));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "1", "[]", "null", "\"a\"", "{", "{}{}", "{} x", "{'a':1}", "\u{feff}{}"] {
            check(text, Err(Fault::NoObject));
        }
        for text in [r#"{"a":1e999}"#, r#"{"a":NaN}"#, r#"{"a":"\ud800"}"#, r#"{"a":01}"#] {
            check(text, Err(Fault::NoObject));
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}", MAX_TOKEN_VALUES), Err(Fault::NoObject));
    }

    #[test]
    fn a_member_twice_is_refused_at_every_depth() {
        check(r#"{"a":1,"a":1}"#, Err(Fault::DuplicateMember));
        check(r#"{"a":1,"\u0061":2}"#, Err(Fault::DuplicateMember));
        check(r#"{"a":[{"b":1,"c":{"d":1,"d":1}}]}"#, Err(Fault::DuplicateMember));
        check(r#"{"a":1,"A":1}"#, Ok(serde_json::json!({ "a": 1, "A": 1 })));
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        // The object itself and its list are two of them.
        let list = |values: usize| format!("{{\"a\":[{}0]}}", "0,".repeat(values - 3));
        assert!(object(list(MAX_TOKEN_VALUES).as_bytes(), MAX_TOKEN_VALUES).is_ok());
        check(&list(MAX_TOKEN_VALUES + 1), Err(Fault::TooManyValues));
    }

    #[test]
    fn the_depth_is_bounded() {
        let nested = |depth: usize| {
            let inner = depth - 1;
            format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner))
        };
        assert!(object(nested(MAX_DEPTH).as_bytes(), MAX_TOKEN_VALUES).is_ok());
        check(&nested(MAX_DEPTH + 1), Err(Fault::TooDeep));
        check(&nested(10_000), Err(Fault::TooDeep));
    }
}
