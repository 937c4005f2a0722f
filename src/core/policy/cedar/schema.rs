//! Our schema, and what a bundle adds to it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use cedar_policy::{Schema, SchemaFragment};
use serde_json::Value;

use super::Findings;
use super::expansion;
use super::place::{error_at, report, sentence};
use super::scan::statements;
use super::source::Source;
use super::words::SCHEMA;
use crate::policy::{Severity, progress};

/// Read once in a process: it takes longer than most bundles.
static OURS: OnceLock<Result<Ours, String>> = OnceLock::new();

#[derive(Debug)]
struct Ours {
    fragment: SchemaFragment,
    /// The names that a bundle may not declare again.
    declared: BTreeSet<String>,
    /// For bundles that add nothing.
    schema: Schema,
}

impl Ours {
    fn read() -> Result<Self, String> {
        let fragment = SchemaFragment::from_cedarschema_str(SCHEMA);
        let (fragment, _) = fragment.map_err(|error| sentence(&error))?;
        let schema = Schema::from_schema_fragments([fragment.clone()]);
        let schema = schema.map_err(|error| sentence(&error))?;
        Ok(Self { declared: declared(&fragment), fragment, schema })
    }
}

/// The schema to validate against; a bundle may add entity types, and nothing that describes a request.
pub(super) fn load(sources: &[Source<'_>], findings: &mut Findings) -> Option<Schema> {
    let ours = match OURS.get_or_init(Ours::read) {
        Ok(ours) => ours,
        Err(message) => {
            findings.error("", 0, 0, message);
            return None;
        }
    };
    if sources.is_empty() {
        return Some(ours.schema.clone());
    }
    let mut fragments = vec![ours.fragment.clone()];
    let mut is_good = true;
    for source in sources {
        progress::at_file(source.file);
        match fragment(*source, &ours.declared, findings) {
            Some(fragment) => fragments.push(fragment),
            None => is_good = false,
        }
    }
    if !is_good || !can_be_written_out(&fragments, sources, findings) {
        return None;
    }
    match Schema::from_schema_fragments(fragments) {
        Ok(schema) if schema.is_complete() => Some(schema),
        Ok(_) => {
            findings.error(
                "",
                0,
                0,
                "a schema declares something `external` and nothing defines it",
            );
            None
        }
        Err(error) => {
            let only = match sources {
                [only] => *only,
                _ => Source { file: "", text: "" },
            };
            report(findings, Severity::Error, only.file, only.text, &error, None);
            None
        }
    }
}

/// Whether the types stay small enough; if not, that is a finding where the type is declared.
fn can_be_written_out(
    fragments: &[SchemaFragment],
    sources: &[Source<'_>],
    findings: &mut Findings,
) -> bool {
    let json = fragments.iter().filter_map(|fragment| fragment.clone().to_json_value().ok());
    let Some((name, message)) = expansion::excess(&json.collect::<Vec<_>>()) else { return true };
    let declared = [format!("type {name} "), format!("entity {name} "), name];
    let place = |text: &str| declared.iter().find_map(|words| text.find(words.as_str()));
    let found = sources.iter().find_map(|source| Some((source, place(source.text)?)));
    match found {
        Some((source, at)) => error_at(findings, source.file, source.text, at, message),
        None => findings.error("", 0, 0, message),
    }
    false
}

fn fragment(
    source: Source<'_>,
    taken: &BTreeSet<String>,
    findings: &mut Findings,
) -> Option<SchemaFragment> {
    let Source { file, text } = source;
    if let Err(excess) = statements(text) {
        error_at(findings, file, text, excess.offset, excess.message);
        return None;
    }
    let fragment = match SchemaFragment::from_cedarschema_str(text) {
        Ok((fragment, _)) => fragment,
        Err(error) => {
            report(findings, Severity::Error, file, text, &error, None);
            return None;
        }
    };
    let mut is_good = true;
    let mut refuse = |name: &str, message: String| {
        error_at(findings, file, text, text.find(name).unwrap_or_default(), message);
        is_good = false;
    };
    for name in declared(&fragment).intersection(taken) {
        refuse(name, format!("`{name}` is declared by portreeve.cedarschema already"));
    }
    for name in names(&fragment, "actions") {
        refuse(
            &name,
            format!("action `{name}` never happens: the actions are the request's methods"),
        );
    }
    is_good.then_some(fragment)
}

/// Entity types and common types share one set of names.
fn declared(fragment: &SchemaFragment) -> BTreeSet<String> {
    let mut declared = names(fragment, "entityTypes");
    declared.append(&mut names(fragment, "commonTypes"));
    declared
}

/// The names of one kind, those of a namespace with it.
fn names(fragment: &SchemaFragment, kind: &str) -> BTreeSet<String> {
    let Ok(Value::Object(namespaces)) = fragment.clone().to_json_value() else {
        return BTreeSet::new();
    };
    let mut names = BTreeSet::new();
    for (namespace, body) in &namespaces {
        for name in body.get(kind).and_then(Value::as_object).into_iter().flatten() {
            let separator = if namespace.is_empty() { "" } else { "::" };
            names.insert(format!("{namespace}{separator}{}", name.0));
        }
    }
    names
}
