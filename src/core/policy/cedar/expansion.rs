//! How large the types of a schema become once every common type stands where it is named: Cedar
//! writes them out, so that twenty lines can become a million types, and a long chain exhausts a stack.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Of one type, written out.
const MAX_SIZE: usize = 10_000;
/// Types within types.
const MAX_DEPTH: usize = 64;

/// Records and sets within each other: reading an entity of such a type takes Cedar twice as long with
/// each. People nest three or four deep.
const MAX_COMPOUNDS: usize = 10;

/// What a type comes to.
#[derive(Clone, Copy, Default)]
struct Extent {
    size: usize,
    depth: usize,
    compounds: usize,
}

/// The common types of all fragments by their last names; of two of one name the larger counts.
struct Types<'a> {
    definitions: BTreeMap<&'a str, Vec<&'a Value>>,
    known: BTreeMap<&'a str, Extent>,
    /// Being measured: a circle is Cedar's to report.
    open: BTreeSet<&'a str>,
}

/// The name of a type that becomes too large or too deep, and why, in the schemas' JSON form.
pub(super) fn excess(fragments: &[Value]) -> Option<(String, String)> {
    let mut types =
        Types { definitions: BTreeMap::new(), known: BTreeMap::new(), open: BTreeSet::new() };
    let namespaces = || fragments.iter().filter_map(Value::as_object).flat_map(|map| map.values());
    for namespace in namespaces() {
        for (name, definition) in members(namespace, "commonTypes") {
            types.definitions.entry(name).or_default().push(definition);
        }
    }
    for kind in ["commonTypes", "entityTypes"] {
        for namespace in namespaces() {
            for (name, definition) in members(namespace, kind) {
                let extent = match kind {
                    "commonTypes" => types.named(name, 0),
                    _ => types.measure(definition, 0),
                };
                if extent.size > MAX_SIZE {
                    let why =
                        format!("the type `{name}` written out has more than {MAX_SIZE} parts");
                    return Some((name.to_owned(), why));
                }
                if extent.depth > MAX_DEPTH {
                    let why = format!("the type `{name}` written out is deeper than {MAX_DEPTH}");
                    return Some((name.to_owned(), why));
                }
                if extent.compounds > MAX_COMPOUNDS {
                    let what = "records and sets within each other";
                    let why = format!("the type `{name}` has more than {MAX_COMPOUNDS} {what}");
                    return Some((name.to_owned(), why));
                }
            }
        }
    }
    None
}

fn members<'a>(namespace: &'a Value, kind: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let members = namespace.get(kind).and_then(Value::as_object).into_iter().flatten();
    members.map(|(name, definition)| (name.as_str(), definition))
}

impl<'a> Types<'a> {
    /// Any object with a `type` or a `name` may name a common type; its members are its parts.
    fn measure(&mut self, part: &'a Value, above: usize) -> Extent {
        // What is deeper has been told of already: no stack is spent on it.
        if above > 2 * MAX_DEPTH {
            return Extent { size: 1, depth: MAX_DEPTH + 1, compounds: 0 };
        }
        let mut extent = Extent { size: 1, depth: 0, compounds: 0 };
        let inner: Vec<&Value> = match part {
            Value::Object(members) => {
                for key in ["type", "name"] {
                    if let Some(name) = members.get(key).and_then(Value::as_str) {
                        let name = name.rsplit("::").next().unwrap_or(name);
                        add(&mut extent, self.named(name, above + 1));
                    }
                }
                members.values().filter(|inner| inner.is_object()).collect()
            }
            Value::Array(items) => items.iter().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for inner in inner {
            let found = self.measure(inner, above + 1);
            add(&mut extent, found);
        }
        if ["attributes", "element"].iter().any(|key| part.get(key).is_some_and(Value::is_object)) {
            extent.compounds = extent.compounds.saturating_add(1);
        }
        extent
    }

    fn named(&mut self, name: &str, above: usize) -> Extent {
        let Some((name, definitions)) = self.definitions.get_key_value(name) else {
            return Extent::default();
        };
        let (name, definitions) = (*name, definitions.clone());
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        if !self.open.insert(name) {
            return Extent::default();
        }
        let mut largest = Extent::default();
        for definition in definitions {
            let found = self.measure(definition, above);
            largest.size = largest.size.max(found.size);
            largest.depth = largest.depth.max(found.depth);
            largest.compounds = largest.compounds.max(found.compounds);
        }
        largest.depth = largest.depth.saturating_add(1);
        self.open.remove(name);
        self.known.insert(name, largest);
        largest
    }
}

fn add(extent: &mut Extent, inner: Extent) {
    extent.size = extent.size.saturating_add(inner.size);
    extent.depth = extent.depth.max(inner.depth);
    extent.compounds = extent.compounds.max(inner.compounds);
}

#[cfg(test)]
mod tests {
    use cedar_policy::SchemaFragment;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let (fragment, _) = SchemaFragment::from_cedarschema_str(text).unwrap();
        let found = excess(&[fragment.to_json_value().unwrap()]);
        assert_eq!(found.map(|(_, why)| why).unwrap_or_default(), expected);
    }

    fn chain(count: usize, members: &[&str]) -> String {
        let mut text = String::from("entity E = {t: T0};\n");
        for n in 0..count {
            let members: Vec<_> = members.iter().map(|m| format!("{m}: T{}", n + 1)).collect();
            text.push_str(&format!("type T{n} = {{{}}};\n", members.join(", ")));
        }
        text + &format!("type T{count} = Long;\n")
    }

    #[test]
    fn ordinary_types_pass() {
        check("type A = {b: Set<Long>, c: {d: String}};\nentity E = {a: A, b: A} tags Set<A>;", "");
        check(&chain(8, &["a", "b"]), "");
        check(&chain(8, &["a"]), "");
    }

    #[test]
    fn types_that_double_and_long_chains_are_refused() {
        check(&chain(20, &["a", "b"]), "the type `T0` written out has more than 10000 parts");
        let why = "has more than 10 records and sets within each other";
        check(&chain(12, &["a"]), &format!("the type `T0` {why}"));
        let sets = format!("entity E = {{a: {}Long{}}};", "Set<".repeat(12), ">".repeat(12));
        check(&sets, &format!("the type `E` {why}"));
        check(&chain(4_000, &["a"]), "the type `T0` written out is deeper than 64");
    }

    #[test]
    fn a_circle_is_left_to_cedar() {
        check("type A = {b: B};\ntype B = {a: A};\nentity E = {a: A};", "");
    }
}
