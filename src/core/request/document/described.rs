//! A request described by what is particular about it, as test cases write it.

use serde_json::{Map, Value, json};

use super::DocumentError;
use super::fields::Fields;
use crate::request::AccessRequest;

/// Keys that are taken over into `request` as they are.
const OF_REQUEST: [&str; 8] =
    ["direction", "method", "scheme", "host", "route", "protocol", "body", "body_truncated"];

impl AccessRequest {
    /// Reads `{source: "spiffe://td/x", method: GET, path: "/orders?x=1", headers: {accept: a}}`.
    /// `source` is an ID, or null or absent for a caller without identity; `method` is GET unless
    /// said; the query may stand in the path; a header or query value may be a text or a list. Further
    /// keys: `source_ip`, `service`, `route`, `time`, `tls`, `certificate`, `jwt` and those of
    /// `request`.
    ///
    /// # Errors
    /// As for [`Self::from_document`].
    pub fn described(description: &Value) -> Result<Self, DocumentError> {
        let mut given = Fields::of("", description)?;
        let mut request = Map::new();
        for key in OF_REQUEST {
            request.extend(given.take(key).map(|value| (key.to_owned(), value)));
        }
        request.entry("method").or_insert_with(|| json!("GET"));
        let path = given.required("path")?;
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        request.insert("path".to_owned(), json!(path));
        let mut pairs: Vec<_> = crate::request::query::pairs(query).collect();
        pairs.extend(given.lists("query", true)?);
        request.insert("query".to_owned(), lists(pairs));
        request.insert("headers".to_owned(), lists(given.lists("headers", true)?));

        let mut source = Map::new();
        source.insert("spiffe_id".to_owned(), given.take("source").unwrap_or_default());
        for key in ["certificate", "jwt"] {
            source.extend(given.take(key).map(|value| (key.to_owned(), value)));
        }
        let ip = given.take("source_ip").unwrap_or_default();
        source.insert("address".to_owned(), json!({ "ip": ip }));
        let service = given.take("service").unwrap_or_default();

        let mut document = Map::new();
        for key in ["time", "tls"] {
            document.extend(given.take(key).map(|value| (key.to_owned(), value)));
        }
        given.finish()?;
        document.insert("source".to_owned(), source.into());
        document.insert("destination".to_owned(), json!({ "service": service }));
        document.insert("request".to_owned(), request.into());
        Self::from_document(&document.into())
    }
}

fn lists(pairs: Vec<(String, String)>) -> Value {
    let mut lists = Map::new();
    for (name, value) in pairs {
        if let Value::Array(values) = lists.entry(name).or_insert_with(|| json!([])) {
            values.push(value.into());
        }
    }
    lists.into()
}
