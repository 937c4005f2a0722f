//! The published input document as types, kept equal to `schemas/input.json` by a test, and the
//! document of Envoy's OPA plugin as far as it is fixed.

/// What a static reference into the input can hold; anything may be null as well.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Type {
    Any,
    String,
    Number,
    Boolean,
    List(&'static Self),
    /// Keys are data.
    Map(&'static Self),
    /// A map by header name.
    Headers(&'static Self),
    /// These keys and no others.
    Object(&'static [(&'static str, Self)]),
    /// These keys and any others.
    Open(&'static [(&'static str, Self)]),
}

use Type::{Any, Boolean, Headers, List, Map, Number, Object, Open, String};

const STRINGS: Type = List(&String);
const ADDRESS: Type = Object(&[("ip", String), ("port", Number)]);
const CERTIFICATE: Type = Object(&[
    ("serial", String),
    ("sha256", String),
    ("issuer", String),
    ("not_before", String),
    ("not_after", String),
]);
const REQUEST: Type = Object(&[
    ("direction", String),
    ("method", String),
    ("scheme", String),
    ("host", String),
    ("path", String),
    ("route", String),
    ("segments", STRINGS),
    ("query", Map(&STRINGS)),
    ("headers", Headers(&STRINGS)),
    ("protocol", String),
    ("body", Any),
    ("body_truncated", Boolean),
]);
const ENVOY_HTTP: Type = Open(&[
    ("id", String),
    ("method", String),
    ("headers", Headers(&String)),
    ("path", String),
    ("host", String),
    ("scheme", String),
    ("protocol", String),
    ("body", String),
]);

/// The whole document, in both forms.
pub(in super::super) const INPUT: Type = Object(&[
    ("portreeve", Object(&[("version", String)])),
    (
        "source",
        Object(&[
            ("spiffe_id", String),
            ("trust_domain", String),
            ("path", String),
            ("segments", STRINGS),
            ("address", ADDRESS),
            ("certificate", CERTIFICATE),
            ("jwt", Object(&[("claims", Any)])),
        ]),
    ),
    ("destination", Object(&[("spiffe_id", String), ("service", String), ("address", ADDRESS)])),
    ("request", REQUEST),
    (
        "tls",
        Object(&[("version", String), ("cipher_suite", String), ("alpn", String), ("sni", String)]),
    ),
    ("time", String),
    ("attributes", Open(&[("request", Open(&[("http", ENVOY_HTTP)]))])),
    ("parsed_path", STRINGS),
    ("parsed_query", Map(&STRINGS)),
    ("parsed_body", Any),
    ("truncated_body", Boolean),
    ("version", Open(&[("ext_authz", String), ("encoding", String)])),
    ("source_principal", String),
]);

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const ENVOY_ROOTS: [&str; 7] = [
        "attributes",
        "parsed_path",
        "parsed_query",
        "parsed_body",
        "truncated_body",
        "version",
        "source_principal",
    ];

    fn published(schema: &Value, all: &Value) -> std::string::String {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.strip_prefix("#/$defs/").unwrap();
            return published(&all["$defs"][name], all);
        }
        // A nullable type comes first, `null` behind it.
        let kinds = &schema["type"];
        let kind = kinds.as_str().or_else(|| kinds.get(0)?.as_str());
        match kind {
            None => "any".to_owned(),
            Some("integer") => "number".to_owned(),
            Some("array") => format!("[{}]", published(&schema["items"], all)),
            Some("object") if schema["properties"].is_object() => {
                let mut fields: Vec<_> = schema["properties"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .filter(|(name, _)| !ENVOY_ROOTS.contains(&name.as_str()))
                    .map(|(name, schema)| format!("{name}: {}", published(schema, all)))
                    .collect();
                fields.sort();
                format!("{{{}}}", fields.join(", "))
            }
            Some("object") if schema["additionalProperties"].is_object() => {
                format!("{{*: {}}}", published(&schema["additionalProperties"], all))
            }
            Some("object") => "any".to_owned(),
            Some(kind) => kind.to_owned(),
        }
    }

    fn ours(kind: &Type) -> std::string::String {
        match kind {
            Any => "any".to_owned(),
            String => "string".to_owned(),
            Number => "number".to_owned(),
            Boolean => "boolean".to_owned(),
            List(item) => format!("[{}]", ours(item)),
            Map(value) | Headers(value) => format!("{{*: {}}}", ours(value)),
            Object(fields) | Open(fields) => {
                let mut fields: Vec<_> = fields
                    .iter()
                    .filter(|(name, _)| !ENVOY_ROOTS.contains(name))
                    .map(|(name, kind)| format!("{name}: {}", ours(kind)))
                    .collect();
                fields.sort();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }

    #[test]
    fn the_types_are_those_of_the_published_schema() {
        let text = include_str!("../../../../../schemas/input.json");
        let schema: Value = serde_json::from_str(text).unwrap();
        assert_eq!(ours(&INPUT), published(&schema, &schema));
    }
}
