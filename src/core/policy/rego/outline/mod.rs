//! What the Rego part of a bundle says, one definition and one value of `data` at a time.
//!
//! The loaded rules enter; items leave whose meaning is written from the syntax tree, so that
//! comments, layout, aliases of imports and the order of files are not in it.

mod canonical;
mod keys;
mod values;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::super::item::{Item, ItemKind};
use super::super::{Files, Findings};
use super::Policies;
use super::load::{self, Loaded, Modules};
use super::module_files::{is_rego, is_test};
use super::names::Names;
use super::paths::RulePath;
use super::rules::{Definition, Kind, Rules, package_of};
use super::tests_runner;
use super::walk::uses;
use crate::masking::Secrets;

/// Which entry rules depend on each rule, and on each path below `data` that is no rule.
type Reach = BTreeMap<RulePath, BTreeSet<String>>;

impl Policies {
    /// Every definition that is served, and the data.
    pub(in super::super) fn items(&self, files: &Files) -> Vec<Item> {
        let reach = self.reach();
        let mut items = Vec::new();
        for (path, definitions) in self.rules.iter() {
            for definition in definitions {
                let mut item = item(definition, &self.rules, files);
                let reached = reach.get(path).into_iter().flatten();
                // An entry rule by itself is not reached by way of another.
                let own = path.to_string();
                item.reaches = reached.filter(|entry| **entry != own).cloned().collect();
                items.push(item);
            }
        }
        for (path, item) in values::items(files, &self.rules) {
            items.push(Item { reaches: reading(&path, &reach), ..item });
        }
        items
    }

    fn reach(&self) -> Reach {
        let graph: BTreeMap<&RulePath, BTreeSet<RulePath>> =
            self.rules.iter().map(|(path, all)| (path, used_by(all, &self.rules))).collect();
        let mut reach = Reach::new();
        for entry in [Some(&self.entry.allow), self.entry.deny.as_ref()].into_iter().flatten() {
            let parts = entry.parts.iter().map(|part| &part.path);
            let mut left: Vec<&RulePath> = std::iter::once(&entry.path).chain(parts).collect();
            while let Some(path) = left.pop() {
                let entries = reach.entry(path.clone()).or_default();
                if entries.insert(entry.name.clone()) {
                    left.extend(graph.get(path).into_iter().flatten());
                }
            }
        }
        reach
    }
}

/// The entry rules that read a value, what it is part of, or a part of it.
fn reading(path: &RulePath, reach: &Reach) -> Vec<String> {
    let above = (1..=path.0.len())
        .filter_map(|length| reach.get(&RulePath(path.0.get(..length)?.to_vec())));
    let below = reach.range(path.clone()..).take_while(|(read, _)| read.starts_with(path));
    let entries: BTreeSet<&String> =
        above.chain(below.map(|(_, entries)| entries)).flatten().collect();
    entries.into_iter().cloned().collect()
}

/// What a rule's definitions read or call: rules, and paths of data.
fn used_by(definitions: &[Definition], rules: &Rules) -> BTreeSet<RulePath> {
    let mut used = BTreeSet::new();
    for definition in definitions {
        let names = Names::of(&definition.module, rules);
        let uses = uses(&definition.rule);
        for reference in uses.references.iter().chain(&uses.targets) {
            if let Some(path) = names.data_path(&reference.name) {
                used.extend(rules.read_by(&path, &reference.name.tail).cloned());
                used.insert(path);
            }
        }
        used.extend(uses.calls.iter().filter_map(|call| names.function(&call.name)));
    }
    used
}

/// The rules `test_…` of a bundle.
///
/// # Errors
/// The test modules do not load.
pub(in super::super) fn test_items(files: &Files) -> Result<Vec<Item>, Findings> {
    if !files.iter().any(|(file, _)| is_rego(file) && is_test(file)) {
        return Ok(Vec::new());
    }
    let mut findings = Findings::default();
    let time_limit = super::evaluate::TIME_LIMIT;
    let loaded = load::load(files, Modules::WithTests, time_limit, &mut findings);
    let Some(Loaded { rules, .. }) = loaded else { return Err(findings) };
    let mut items = Vec::new();
    let mut secrets: BTreeMap<&str, Secrets> = BTreeMap::new();
    for (path, definitions) in rules.iter() {
        let Some(first) = definitions.first().filter(|first| !first.is_function()) else {
            continue;
        };
        let name = path.0.get(package_of(&first.module).0.len());
        let is_case = |name: &String| name.starts_with("test_") || name.starts_with("todo_test_");
        if name.is_some_and(is_case) {
            for definition in definitions {
                let secrets = secrets
                    .entry(&definition.file)
                    .or_insert_with(|| tests_runner::written(&definition.module));
                let item = item(definition, &rules, files);
                let text = secrets.hide(&item.text);
                items.push(Item { kind: ItemKind::Test, text, ..item });
            }
        }
    }
    Ok(items)
}

fn item(definition: &Definition, rules: &Rules, files: &Files) -> Item {
    let names = Names::of(&definition.module, rules);
    let meaning = canonical::meaning(&definition.rule, &names);
    let kind = match definition.kind {
        Kind::Default => ItemKind::Default,
        Kind::Complete | Kind::Set | Kind::Object | Kind::Function { .. } => ItemKind::Rule,
    };
    let place = (definition.file.as_str(), definition.line);
    let item = Item::plain(kind, definition.path.to_string(), place, meaning);
    Item { text: text_of(definition, files), ..item }
}

/// The lines of the file that the definition takes up.
fn text_of(definition: &Definition, files: &Files) -> String {
    let bytes = files.get(&definition.file).unwrap_or_default();
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let count = definition.rule.span().text().trim_end().lines().count();
    let first = usize::try_from(definition.line).unwrap_or(usize::MAX).saturating_sub(1);
    let lines: Vec<&str> = text.lines().skip(first).take(count).collect();
    lines.join("\n")
}
