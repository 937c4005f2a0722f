//! Documents as tests write them, whole or in part: the input document, the description of a request,
//! the input of Envoy's plugin.

use serde_json::{Map, Value};

use super::{ALLOWED_HEADERS, MASK};

/// Below these keys nothing is shown, in whatever document.
const HIDDEN: [&str; 6] = ["body", "raw_body", "parsed_body", "claims", "jwt", "password"];
/// Keys that name a credential, wherever they stand.
const CREDENTIALS: [&str; 13] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "secret",
    "client_secret",
    "api_key",
    "apikey",
    "x-api-key",
];

/// What becomes of a value that must not be shown.
trait Hide {
    fn hide(&mut self, value: &Value) -> Value;
}

/// The document with a mask in place of each value that is not shown.
pub(crate) fn masked(document: &Value) -> Value {
    struct Nothing;
    impl Hide for Nothing {
        fn hide(&mut self, _: &Value) -> Value {
            Value::from(MASK)
        }
    }
    walk(document, &mut Nothing)
}

/// Every text that stands where [`masked`] puts a mask.
pub(crate) fn secrets_of(document: &Value) -> Vec<String> {
    struct Texts(Vec<String>);
    impl Hide for Texts {
        fn hide(&mut self, value: &Value) -> Value {
            texts(value, &mut self.0);
            Value::Null
        }
    }
    let mut found = Texts(Vec::new());
    walk(document, &mut found);
    found.0
}

/// Whether what stands under this key is hidden in any document.
pub(crate) fn is_hidden_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    HIDDEN.contains(&&*key) || CREDENTIALS.contains(&&*key)
}

/// Whether the values of the members of this key are hidden: headers but for those that are shown, all
/// of the query.
pub(crate) fn hides_member(parent: &str, name: &str) -> bool {
    match parent {
        "headers" => !ALLOWED_HEADERS.iter().any(|shown| name.eq_ignore_ascii_case(shown.as_str())),
        "query" | "parsed_query" => true,
        _ => is_hidden_key(name),
    }
}

fn walk(value: &Value, hide: &mut impl Hide) -> Value {
    match value {
        Value::Object(members) => members_of("", members, hide),
        Value::Array(items) => Value::Array(items.iter().map(|item| walk(item, hide)).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn members_of(parent: &str, members: &Map<String, Value>, hide: &mut impl Hide) -> Value {
    let shown =
        |(name, value): (&String, &Value)| (name.clone(), member(parent, name, value, hide));
    Value::Object(members.iter().map(shown).collect())
}

fn member(parent: &str, name: &str, value: &Value, hide: &mut impl Hide) -> Value {
    match (name, value) {
        (_, Value::Null | Value::Bool(_)) => value.clone(),
        _ if hides_member(parent, name) => hide.hide(value),
        ("path", Value::String(path)) => match path.split_once('?') {
            Some((path, query)) => Value::String(format!("{path}?{}", pairs(query, hide))),
            None => value.clone(),
        },
        ("query", Value::String(query)) => Value::String(pairs(query, hide)),
        ("headers" | "query" | "parsed_query", Value::Object(members)) => {
            members_of(name, members, hide)
        }
        _ => walk(value, hide),
    }
}

/// `a=***&b`
fn pairs(query: &str, hide: &mut impl Hide) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((key, value)) => {
            let shown = hide.hide(&Value::from(value));
            format!("{key}={}", shown.as_str().unwrap_or_default())
        }
        None => pair.to_owned(),
    };
    query.split('&').map(pair).collect::<Vec<_>>().join("&")
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) => {}
    }
}
