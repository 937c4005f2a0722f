//! The reference of the file, in Markdown, generated from its schema.

use std::fmt::Write as _;

use serde_json::Value;

use super::overrides::VARIABLES;
use super::place::At;
use super::schema::{allowed_values, properties, schema};

const HEAD: &str = "\
# Configuration

<!-- Generated from `src/config/raw`: `UPDATE_EXPECT=1 cargo test --lib config` rewrites it. -->

`portreeve run -c portreeve.yaml` reads one YAML file; `portreeve config check -c portreeve.yaml` reports
everything that is wrong with one, with line, column and field. The file is UTF-8, at most 1 MiB, one
document, without anchors, aliases, tags and duplicate keys. Unknown keys are errors. A relative path
starts at the folder of the file. `schemas/config.json` is the same as JSON Schema, for editors:

```yaml
# yaml-language-server: $schema=schemas/config.json
version: 1
service: orders
identity:
  socket: unix:///run/spire/sockets/agent.sock
listeners:
  - name: public
    address: 0.0.0.0:8443
    routes:
      - { name: order, path: \"/orders/{id}\", methods: [GET, PUT] }
upstreams:
  - name: app
    address: unix:/run/orders/app.sock
policy:
  source: { git: https://git.example.org/shop/policy.git }
  verify: none
health:
  address: 0.0.0.0:9090
```

A duration is a number with `ms`, `s`, `m` or `h`; a size is a number with `B`, `KiB`, `MiB` or `GiB`.

| Field | Type | Unit | Default | Meaning |
|---|---|---|---|---|
";

const OVERRIDES: &str = "
## Environment

These variables replace a field; `config check` lists those that are in force. An empty one counts as not
set. Any other variable whose name starts with `PORTREEVE_` is warned about.

| Variable | Field |
|---|---|
";

/// The whole reference page.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    rows(&mut page, "", &schema());
    page.push_str(OVERRIDES);
    for (variable, pointer) in VARIABLES {
        let _ = writeln!(page, "| `{variable}` | `{}` |", At::of(pointer));
    }
    page.push_str("\n`SPIFFE_ENDPOINT_SOCKET` is read where `identity.socket` is not given.\n");
    page
}

fn rows(page: &mut String, prefix: &str, schema: &Value) {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|r| r.iter().any(|x| x == name));
    for (name, field) in properties(schema).into_iter().flatten() {
        let (path, inner) = match field.get("items") {
            Some(items) => (format!("{prefix}{name}[]"), items),
            None => (format!("{prefix}{name}"), field),
        };
        let default = default_of(field, is_required(name));
        let (kind, unit) = (type_of(field, inner), unit_of(field));
        let meaning = meaning_of(field);
        let _ = writeln!(page, "| `{path}` | {kind} | {unit} | {default} | {meaning} |");
        rows(page, &format!("{path}."), inner);
    }
}

fn type_of(field: &Value, inner: &Value) -> String {
    if let Some(values) = allowed_values(field) {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    }
    let is_list = field.get("items").is_some();
    let name = inner.get("title").or_else(|| inner.get("type")).and_then(Value::as_str);
    let name = match name {
        Some("object") | None => "mapping",
        Some("string") => "text",
        Some("boolean") => "`true`, `false`",
        Some(name) => name,
    };
    match (is_list, name) {
        (true, name) => format!("list of {name}s"),
        (false, name) => name.to_owned(),
    }
}

fn unit_of(field: &Value) -> &'static str {
    let word = |key: &str| field.get(key).and_then(Value::as_str);
    match (word("title"), word("type")) {
        (Some("duration"), _) => "ms, s, m, h",
        (Some("size"), _) => "B, KiB, MiB, GiB",
        (_, Some("integer")) => "count",
        _ => "",
    }
}

fn default_of(field: &Value, is_required: bool) -> String {
    if is_required {
        return "required".to_owned();
    }
    match field.get("default") {
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
        Some(Value::Object(_)) | None => String::new(),
        Some(other) => format!("`{other}`"),
    }
}

fn meaning_of(field: &Value) -> String {
    let text = field.get("description").and_then(Value::as_str).unwrap_or_default();
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let number = |key: &str| field.get(key).and_then(Value::as_u64);
    if let (Some(low), Some(high)) = (number("minimum"), number("maximum")) {
        let _ = write!(text, " {low} to {high}.");
    }
    match (number("minItems"), number("maxItems")) {
        (Some(low), Some(high)) => text.push_str(&format!(" {low} to {high} entries.")),
        (None, Some(high)) => text.push_str(&format!(" At most {high} entries.")),
        _ => {}
    }
    text
}
