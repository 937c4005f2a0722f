//! What a bundle is made of, one by one: what two bundles are compared by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that an author wrote and that can be added, removed or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub kind: ItemKind,
    /// A rule's path, a policy's id, a path below `data`, a test's name.
    pub name: String,
    /// The author gave the name; otherwise it only counts places and says nothing.
    pub is_named: bool,
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: u32,
    /// What it says, aspect by aspect, in a form that is the same however it was written.
    pub aspects: Vec<Aspect>,
    /// As it stands in the file, for people.
    pub text: String,
    /// The entry rules whose value may depend on it.
    pub reaches: Vec<String>,
}

/// One side of what an item says: of a Cedar policy its effect, its scope, its conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Aspect {
    pub name: String,
    pub meaning: String,
}

/// Printed in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// Of the manifest: entry point, audience, roots.
    Manifest,
    /// A definition of a Rego rule.
    Rule,
    /// `default …` of a Rego rule.
    Default,
    /// A Cedar policy.
    Policy,
    Template,
    /// A template with its slots filled.
    Link,
    Entity,
    /// A declaration of a bundle's own Cedar schema.
    Schema,
    /// A value below `data`.
    Data,
    Test,
}

impl Item {
    /// An item of one aspect, named by its author.
    pub(super) fn plain(
        kind: ItemKind,
        name: impl Into<String>,
        place: (&str, u32),
        meaning: String,
    ) -> Self {
        let aspects = vec![Aspect { name: kind.as_str().to_owned(), meaning }];
        Self {
            kind,
            name: name.into(),
            is_named: true,
            file: place.0.to_owned(),
            line: place.1,
            aspects,
            text: String::new(),
            reaches: Vec::new(),
        }
    }
}

impl ItemKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Rule => "rule",
            Self::Default => "default",
            Self::Policy => "policy",
            Self::Template => "template",
            Self::Link => "link",
            Self::Entity => "entity",
            Self::Schema => "schema",
            Self::Data => "data",
            Self::Test => "test",
        }
    }
}

/// JSON with sorted keys; readers and the parser bound its depth.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let sorted: BTreeMap<&String, String> =
                object.iter().map(|(key, value)| (key, canonical(value))).collect();
            let fields =
                sorted.iter().map(|(key, value)| format!("{}:{value}", Value::from(key.as_str())));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
