//! What the values of the entry rules say. Only a boolean, the known object form and, for `deny`, a
//! set are answers; anything else is a bad result, which denies.

use http::{HeaderName, HeaderValue, StatusCode};
use regorus::Value;

use super::super::Effects;
use super::builtins::kind;
use crate::request::is_reserved;

/// More than any real answer sets.
const MAX_HEADERS: usize = 64;
/// A refusal is a short text: a page belongs to the service.
const MAX_BODY_BYTES: usize = 64 << 10;
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    pub(super) effects: Effects,
}

/// Reads the value of `allow`; `None` where it is undefined. The error says what is wrong with it.
pub(super) fn answer(value: &Value) -> Result<Option<Answer>, String> {
    if let Value::Undefined = value {
        return Ok(None);
    }
    if let Value::Bool(allowed) = value {
        return Ok(Some(Answer { allowed: *allowed, effects: Effects::default() }));
    }
    let Ok(object) = value.as_object() else {
        return Err(format!("the decision is {}, not a boolean or an object", kind(value)));
    };
    let mut allowed = None;
    let mut effects = Effects::default();
    for (key, value) in object.iter_sorted() {
        let field = key.as_string().map(|key| key.to_string()).unwrap_or_default();
        match field.as_str() {
            "allowed" => allowed = Some(*value.as_bool().map_err(|_| not(&field, "a boolean"))?),
            "http_status" => effects.http_status = Some(status(value)?),
            "body" => effects.body = Some(body(value)?),
            "headers" => effects.headers = headers(&field, value)?,
            "response_headers_to_add" => {
                effects.response_headers_to_add = headers(&field, value)?;
            }
            "request_headers_to_remove" => {
                effects.request_headers_to_remove = names(&field, value)?;
            }
            _ => return Err(not_honoured(&field)),
        }
    }
    let allowed = allowed.ok_or("the decision has no field `allowed`")?;
    Ok(Some(Answer { allowed, effects }))
}

/// What the plugin honours and a sidecar cannot is refused with its reason.
fn not_honoured(field: &str) -> String {
    let why = match field {
        "dynamic_metadata" => ": nothing reads metadata behind this proxy",
        "query_parameters_to_remove" | "query_parameters_to_set" => {
            ": it would change what was decided on"
        }
        _ => "",
    };
    format!("the decision has a field `{field}`, which is not honoured{why}")
}

/// Whether the value of `deny` forbids.
pub(super) fn forbids(value: &Value) -> Result<bool, String> {
    if let Value::Undefined = value {
        Ok(false)
    } else if let Value::Bool(forbids) = value {
        Ok(*forbids)
    } else if let Value::Set(messages) = value {
        Ok(!messages.is_empty())
    } else {
        Err(format!("`deny` is {}, not a boolean or a set", kind(value)))
    }
}

fn status(value: &Value) -> Result<u16, String> {
    let known = value.as_u16().ok().and_then(|code| StatusCode::from_u16(code).ok());
    let known = known.filter(|code| code.as_u16() >= 200 && code.canonical_reason().is_some());
    known.map(|code| code.as_u16()).ok_or_else(|| not("http_status", "a known status from 200 on"))
}

fn body(value: &Value) -> Result<String, String> {
    let text = value.as_string().map_err(|_| not("body", "a string"))?;
    if text.len() > MAX_BODY_BYTES {
        return Err(format!("the decision's `body` is longer than {MAX_BODY_BYTES} bytes"));
    }
    Ok(text.to_string())
}

/// An object of names to one value or several, or a list of such objects.
fn headers(field: &str, value: &Value) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    if let Some(list) = list(value) {
        for object in list {
            add_headers(field, object, &mut pairs)?;
        }
    } else {
        add_headers(field, value, &mut pairs)?;
    }
    Ok(pairs)
}

fn add_headers(
    field: &str,
    value: &Value,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), String> {
    let object = value.as_object().map_err(|_| not(field, "an object of headers"))?;
    for (name, value) in object.iter_sorted() {
        let name = header_name(field, name)?;
        if let Some(values) = list(value) {
            for value in values {
                pairs.push((name.clone(), header_value(field, &name, value)?));
            }
        } else {
            pairs.push((name.clone(), header_value(field, &name, value)?));
        }
        if pairs.len() > MAX_HEADERS {
            return Err(format!("the decision's `{field}` has more than {MAX_HEADERS} headers"));
        }
    }
    Ok(())
}

/// The items of an array or, in their order, of a set: JSON, which the plugin reads, has no sets.
fn list(value: &Value) -> Option<Vec<&Value>> {
    if let Value::Array(array) = value {
        return Some(array.iter().collect());
    }
    let Value::Set(set) = value else { return None };
    let mut items: Vec<&Value> = set.iter().collect();
    items.sort();
    Some(items)
}

fn names(field: &str, value: &Value) -> Result<Vec<String>, String> {
    let list = list(value).ok_or_else(|| not(field, "a list of header names"))?;
    if list.len() > MAX_HEADERS {
        return Err(format!("the decision's `{field}` has more than {MAX_HEADERS} headers"));
    }
    list.into_iter().map(|name| header_name(field, name)).collect()
}

fn header_name(field: &str, name: &Value) -> Result<String, String> {
    let name = name.as_string().map_err(|_| not(field, "an object of headers"))?;
    let name = HeaderName::try_from(&**name)
        .map_err(|_| format!("the decision's `{field}` has an invalid header name"))?;
    if is_reserved(&name) {
        return Err(format!("the decision's `{field}` names `{name}`, which no policy may change"));
    }
    Ok(name.as_str().to_owned())
}

fn header_value(field: &str, name: &str, value: &Value) -> Result<String, String> {
    let error = || format!("the decision's `{field}` has an invalid value for `{name}`");
    let text = value.as_string().map_err(|_| error())?;
    let is_legal = text.bytes().all(|b| matches!(b, b'\t' | 0x20..=0x7e));
    let value = HeaderValue::from_str(text).ok().filter(|_| is_legal).ok_or_else(error)?;
    value.to_str().map(str::to_owned).map_err(|_| error())
}

fn not(field: &str, wanted: &str) -> String {
    format!("the decision's `{field}` is not {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let seen = match answer(&Value::from_json_str(json).unwrap()) {
            Ok(Some(answer)) => format!("{} {:?}", answer.allowed, answer.effects.http_status),
            Ok(None) => "undefined".to_owned(),
            Err(error) => error,
        };
        assert_eq!(seen, expected, "{json}");
    }

    #[test]
    fn a_boolean_and_the_object_form_are_answers() {
        check("true", "true None");
        check("false", "false None");
        check(r#"{"allowed": true}"#, "true None");
        check(r#"{"allowed": false, "http_status": 404, "body": "no"}"#, "false Some(404)");
        assert_eq!(answer(&Value::Undefined), Ok(None));
    }

    #[test]
    fn anything_else_names_what_is_wrong() {
        check("\"true\"", "the decision is a string, not a boolean or an object");
        check("1", "the decision is a number, not a boolean or an object");
        check("{}", "the decision has no field `allowed`");
        check(r#"{"allowed": "yes"}"#, "the decision's `allowed` is not a boolean");
        check(
            r#"{"allowed": true, "dynamic_metadata": {}}"#,
            "the decision has a field `dynamic_metadata`, which is not honoured: nothing reads \
             metadata behind this proxy",
        );
        for status in ["199", "100", "299", "600", "\"403\"", "403.5"] {
            check(
                &format!(r#"{{"allowed": false, "http_status": {status}}}"#),
                "the decision's `http_status` is not a known status from 200 on",
            );
        }
    }

    #[test]
    fn headers_are_strings_lists_or_lists_of_objects() {
        let json = r#"{"allowed": true, "headers": {"X-A": "1", "x-b": ["2", "3"]},
            "response_headers_to_add": [{"x-c": "4"}, {"x-c": "5"}],
            "request_headers_to_remove": ["X-D"]}"#;
        let effects = answer(&Value::from_json_str(json).unwrap()).unwrap().unwrap().effects;
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        assert_eq!(effects.headers, [("x-a", "1"), ("x-b", "2"), ("x-b", "3")].map(pair));
        assert_eq!(effects.response_headers_to_add, [("x-c", "4"), ("x-c", "5")].map(pair));
        assert_eq!(effects.request_headers_to_remove, ["x-d"]);
    }

    #[test]
    fn a_header_that_splits_a_message_or_claims_an_identity_is_refused() {
        let invalid_name = "the decision's `headers` has an invalid header name";
        let invalid_value = "the decision's `headers` has an invalid value for `x-a`";
        for (name, value, expected) in [
            ("x-a", r"1\r\nx-b: 2", invalid_value),
            ("x-a", r"1\u0000", invalid_value),
            ("x-a", r"\u00fc", invalid_value),
            (r"x-a\r\n", "1", invalid_name),
            ("x a", "1", invalid_name),
        ] {
            check(&format!(r#"{{"allowed": true, "headers": {{"{name}": "{value}"}}}}"#), expected);
        }
        for name in ["content-length", "X-Spiffe-Id", "transfer-encoding"] {
            let lower = name.to_lowercase();
            check(
                &format!(r#"{{"allowed": true, "headers": {{"{name}": "1"}}}}"#),
                &format!("the decision's `headers` names `{lower}`, which no policy may change"),
            );
        }
    }

    #[test]
    fn deny_is_a_boolean_or_a_set() {
        let set = |items: Vec<Value>| {
            Value::from(items.into_iter().collect::<std::collections::BTreeSet<_>>())
        };
        assert_eq!(forbids(&Value::Undefined), Ok(false));
        assert_eq!(forbids(&Value::from(true)), Ok(true));
        assert_eq!(forbids(&Value::from(false)), Ok(false));
        assert_eq!(forbids(&set(vec![])), Ok(false));
        assert_eq!(forbids(&set(vec![Value::from("no")])), Ok(true));
        assert!(forbids(&Value::from("no")).is_err());
        assert!(forbids(&Value::from(vec![Value::from("no")])).is_err());
    }
}
