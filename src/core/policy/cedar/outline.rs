//! What the Cedar part of a bundle says: policies, templates, links, entities, declarations.
//!
//! A policy's meaning is its JSON form, aspect by aspect, so that comments and layout are not in it.

use std::collections::BTreeMap;

use cedar_policy::{PolicyId, SchemaFragment};
use serde_json::Value;

use super::super::item::{Aspect, Item, ItemKind, canonical};
use super::super::{Files, Findings, PolicyRef, digest_of};
use super::Policies;
use super::json::array;
use super::place::line_and_column;
use super::scan::statements;
use super::source::{self, Source};

/// The annotation that is a policy's name.
const ID: &str = "id";
/// What is compared of a policy, in the order in which people write it.
const ASPECTS: [&str; 5] = ["effect", "principal", "action", "resource", "conditions"];

/// What is longer is compared by its digest.
const MAX_MEANING_BYTES: usize = 200;

/// The text of each statement by file and line; the first where several share a line.
type Statements<'a> = BTreeMap<(&'a str, u32), &'a str>;

impl Policies {
    /// Every item, in no order that means anything.
    pub(in super::super) fn items(&self, files: &Files) -> Vec<Item> {
        let mut ignored = Findings::default();
        let sources = source::policies(files, &mut ignored);
        let statements = texts(&sources);
        let mut items = Vec::new();
        for template in self.set.templates() {
            if let Some(place) = self.places.get(template.id()) {
                let json = template.to_json().unwrap_or_default();
                items.push(item(ItemKind::Template, place, &json, &statements));
            }
        }
        for policy in self.set.policies() {
            let Some(place) = self.places.get(policy.id()) else { continue };
            match (policy.template_id(), policy.template_links()) {
                (Some(template), Some(values)) => {
                    let values = values.iter().map(|(slot, uid)| format!("{slot}: {uid}"));
                    items.push(link(place, template, values.collect()));
                }
                _ => {
                    let json = policy.to_json().unwrap_or_default();
                    items.push(item(ItemKind::Policy, place, &json, &statements));
                }
            }
        }
        for source in source::data(files, "entities.json", &mut ignored) {
            items.extend(array(source, &mut ignored).iter().map(|at| entity(source, at)));
        }
        for source in source::schemas(files, &mut ignored) {
            items.extend(declarations(source));
        }
        items
    }
}

fn texts<'a>(sources: &[Source<'a>]) -> Statements<'a> {
    let mut texts = Statements::new();
    for source in sources {
        for statement in statements(source.text).unwrap_or_default() {
            let (line, _) = line_and_column(source.text, statement.start);
            let text = source.text.get(statement.start..statement.end).unwrap_or_default();
            texts.entry((source.file, line)).or_insert(text);
        }
    }
    texts
}

fn item(kind: ItemKind, place: &PolicyRef, json: &Value, statements: &Statements<'_>) -> Item {
    let empty = serde_json::Map::new();
    let annotations = json.get("annotations").and_then(Value::as_object).unwrap_or(&empty);
    let of = |name: &str| json.get(name).map(canonical).unwrap_or_default();
    let mut aspects: Vec<Aspect> =
        ASPECTS.iter().map(|name| aspect((*name).to_owned(), of(name))).collect();
    // The id is the item's name; the others are told apart.
    let others = annotations.iter().filter(|(name, _)| *name != ID);
    let mut others: Vec<Aspect> =
        others.map(|(name, value)| aspect(format!("@{name}"), canonical(value))).collect();
    others.sort_by(|a, b| a.name.cmp(&b.name));
    aspects.extend(others);
    let text = statements.get(&(&*place.file, place.line)).copied().unwrap_or_default();
    Item {
        aspects,
        is_named: annotations.contains_key(ID),
        text: text.to_owned(),
        ..Item::plain(kind, &*place.id, (&place.file, place.line), String::new())
    }
}

fn link(place: &PolicyRef, template: &PolicyId, mut values: Vec<String>) -> Item {
    values.sort();
    let values = values.join("\n");
    let aspects = vec![
        aspect("template".to_owned(), template.to_string()),
        aspect("values".to_owned(), values.clone()),
    ];
    let text = format!("template: {template}\n{values}");
    let item = Item::plain(ItemKind::Link, &*place.id, (&place.file, place.line), String::new());
    Item { aspects, text, ..item }
}

fn entity(source: Source<'_>, (offset, value): &(usize, Value)) -> Item {
    let (line, _) = line_and_column(source.text, *offset);
    let part = |name: &str| value.get(name).map(canonical).unwrap_or_default();
    let mut parents: Vec<String> = value
        .get("parents")
        .and_then(Value::as_array)
        .map(|parents| parents.iter().map(uid).collect())
        .unwrap_or_default();
    parents.sort();
    let none = |text: String| if text == "{}" { String::new() } else { text };
    let aspects = vec![
        aspect("attrs".to_owned(), none(part("attrs"))),
        aspect("parents".to_owned(), parents.join("\n")),
        aspect("tags".to_owned(), none(part("tags"))),
    ];
    let name = value.get("uid").map(uid).unwrap_or_default();
    let item = Item::plain(ItemKind::Entity, name, (source.file, line), String::new());
    Item { aspects, text: serde_json::to_string_pretty(value).unwrap_or_default(), ..item }
}

/// `Type::"id"` of either JSON form of an entity's id.
fn uid(value: &Value) -> String {
    let plain = value.get("__entity").unwrap_or(value);
    let text = |key: &str| plain.get(key).and_then(Value::as_str);
    match (text("type"), text("id")) {
        (Some(kind), Some(id)) => format!("{kind}::{}", Value::from(id)),
        _ => canonical(value),
    }
}

fn declarations(source: Source<'_>) -> Vec<Item> {
    let fragment = SchemaFragment::from_cedarschema_str(source.text);
    let Some(json) = fragment.ok().and_then(|(fragment, _)| fragment.to_json_value().ok()) else {
        return Vec::new();
    };
    let mut items = Vec::new();
    for (namespace, body) in json.as_object().into_iter().flatten() {
        for (section, what) in
            [("entityTypes", "entity"), ("commonTypes", "type"), ("actions", "action")]
        {
            for (name, body) in body.get(section).and_then(Value::as_object).into_iter().flatten() {
                let separator = if namespace.is_empty() { "" } else { "::" };
                let full = format!("{what} {namespace}{separator}{name}");
                let offset = source.text.find(&format!("{what} {name}")).unwrap_or_default();
                let (line, _) = line_and_column(source.text, offset);
                let place = (source.file, line);
                let item = Item::plain(ItemKind::Schema, full, place, canonical(body));
                let text = serde_json::to_string_pretty(body).unwrap_or_default();
                items.push(Item { text, ..item });
            }
        }
    }
    items
}

/// The JSON form of a condition is ten times as long as its text.
fn aspect(name: String, meaning: String) -> Aspect {
    let meaning = match meaning.len() > MAX_MEANING_BYTES {
        true => digest_of(meaning.as_bytes()),
        false => meaning,
    };
    Aspect { name, meaning }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(list: &[(&str, &str)]) -> Vec<Item> {
        let mut files = Files::default();
        for (file, text) in list {
            files.insert(file, text.as_bytes().to_vec()).unwrap();
        }
        let mut findings = Findings::default();
        let policies = Policies::load(&files, &mut findings);
        let mut items = policies.unwrap_or_else(|| panic!("{findings}")).items(&files);
        items.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        items
    }

    #[track_caller]
    fn check_same(a: &str, b: &str, is_same: bool) {
        let aspects = |text: &str| items(&[("a.cedar", text)]).remove(0).aspects;
        assert_eq!(aspects(a) == aspects(b), is_same, "{a}\n{b}");
    }

    #[test]
    fn layout_and_comments_mean_nothing_and_every_aspect_means_something() {
        let policy = "@id(\"a\")\n@why(\"x\")\npermit (principal, action == Action::\"GET\", \
                      resource) // why\nwhen { context.path == \"/\" };";
        check_same(policy, &policy.replace(" // why\n", "\n\n  "), true);
        for (from, to) in [
            ("\"GET\"", "\"PUT\""),
            ("permit", "forbid"),
            ("principal,", "principal is Workload,"),
            ("resource)", "resource == Route::\"a\")"),
            ("when", "unless"),
            ("\"/\"", "\"/a\""),
            ("\"x\"", "\"y\""),
        ] {
            check_same(policy, &policy.replace(from, to), false);
        }
    }

    #[test]
    fn every_kind_of_item_is_found_with_its_place() {
        let seen: Vec<String> = items(&[
            (
                "a.cedar",
                "@id(\"t\")\npermit (principal == ?principal, action == Action::\"GET\", resource);\n\
                 forbid (principal in Group::\"g\", action == Action::\"GET\", resource);\n",
            ),
            (
                "templates.json",
                "[\n{\"template_id\": \"t\", \"link_id\": \"l\", \"args\": \
                 {\"?principal\": \"Workload::\\\"spiffe://td/a\\\"\"}}]",
            ),
            (
                "entities.json",
                "[\n\n{\"uid\": {\"type\": \"Team\", \"id\": \"g\"}, \"attrs\": {}, \"parents\": []}]",
            ),
            ("own.cedarschema", "\nentity Team;\n"),
        ])
        .iter()
        .map(|item| {
            format!("{} {} {}:{} {}", item.kind.as_str(), item.name, item.file, item.line, item.is_named)
        })
        .collect();
        assert_eq!(
            seen,
            [
                "policy a.cedar#2 a.cedar:3 false",
                "template t a.cedar:1 true",
                "link l templates.json:2 true",
                "entity Team::\"g\" entities.json:3 true",
                "schema entity Team own.cedarschema:2 true",
            ]
        );
    }
}
