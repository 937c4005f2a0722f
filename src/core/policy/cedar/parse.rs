//! From `*.cedar` files to policies with ids that are unique in the bundle and places that people find.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::{PolicyId, PolicySet};

use super::Findings;
use super::place::{Lines, error_at, report};
use super::scan::{Statement, statements};
use super::source::Source;
use crate::policy::{PolicyRef, Severity, progress};

/// Parsing and validating this many takes about two seconds.
const MAX_POLICIES: usize = 10_000;
/// Ids stand in every record.
const MAX_ID_BYTES: usize = 256;

/// The policies and templates of one file.
#[derive(Debug)]
pub(super) struct ParsedFile<'a> {
    pub(super) source: Source<'a>,
    pub(super) set: PolicySet,
    pub(super) statements: BTreeMap<PolicyId, Statement>,
}

/// Where each policy, template and link of the bundle stands.
pub(super) type Places = BTreeMap<PolicyId, PolicyRef>;

/// Parses every file; what does not parse is a finding and left out.
pub(super) fn parse<'a>(
    sources: Vec<Source<'a>>,
    findings: &mut Findings,
) -> (Vec<ParsedFile<'a>>, Places) {
    let mut places = Places::new();
    let mut parsed = Vec::new();
    for source in sources {
        progress::at_file(source.file);
        let statements = match statements(source.text) {
            Ok(statements) => statements,
            Err(excess) => {
                error_at(findings, source.file, source.text, excess.offset, excess.message);
                continue;
            }
        };
        if places.len() + statements.len() > MAX_POLICIES {
            let message = format!("the bundle has more than {MAX_POLICIES} policies");
            findings.error(source.file, 0, 0, message);
            break;
        }
        match source.text.parse::<PolicySet>() {
            Ok(set) => parsed.push(named(source, &set, &statements, &mut places, findings)),
            Err(errors) => {
                for error in errors.iter() {
                    let (file, text) = (source.file, source.text);
                    report(findings, Severity::Error, file, text, error, None);
                }
            }
        }
    }
    (parsed, places)
}

/// Whether one file can be parsed, safely and by itself; a finding says why not.
pub(in crate::policy) fn parses(file: &str, text: &str, findings: &mut Findings) -> bool {
    let before = findings.0.len();
    parse(vec![Source { file, text }], findings);
    findings.0.len() == before
}

/// The parser calls policies `policy0`, `policy1`, … in the order of the text.
fn named<'a>(
    source: Source<'a>,
    parsed: &PolicySet,
    statements: &[Statement],
    places: &mut Places,
    findings: &mut Findings,
) -> ParsedFile<'a> {
    let mut file = ParsedFile { source, set: PolicySet::new(), statements: BTreeMap::new() };
    let lines = Lines::of(source.text);
    for (number, statement) in statements.iter().enumerate() {
        let parsed_id = PolicyId::new(format!("policy{number}"));
        let annotation = parsed
            .annotation(&parsed_id, "id")
            .or_else(|| parsed.template_annotation(&parsed_id, "id"));
        let id = match annotation {
            Some(id) => id.to_owned(),
            None => format!("{}#{}", source.file, number + 1),
        };
        if !claim(&id, source, lines.place(statement.start), places, findings) {
            continue;
        }
        let id = PolicyId::new(id);
        let added = match (parsed.policy(&parsed_id), parsed.template(&parsed_id)) {
            (Some(policy), _) => file.set.add(policy.new_id(id.clone())),
            (None, Some(template)) => file.set.add_template(template.new_id(id.clone())),
            (None, None) => continue,
        };
        if let Err(error) = added {
            let fallback = Some(statement.start);
            report(findings, Severity::Error, source.file, source.text, &error, fallback);
        }
        file.statements.insert(id, *statement);
    }
    let count = parsed.num_of_policies() + parsed.num_of_templates();
    if count != statements.len() {
        // The scan and the parser disagree: no line could be trusted.
        findings.error(source.file, 0, 0, "the policies cannot be told apart");
    }
    file
}

/// Takes an id for one policy; a clash or an id that no record could carry is a finding.
pub(super) fn claim(
    id: &str,
    source: Source<'_>,
    (line, column): (u32, u32),
    places: &mut Places,
    findings: &mut Findings,
) -> bool {
    if id.is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
        let message =
            format!("a policy's id has 1 to {MAX_ID_BYTES} bytes and no control characters");
        findings.error(source.file, line, column, message);
        return false;
    }
    if let Some(other) = places.get(&PolicyId::new(id)) {
        let message = format!("the id `{id}` is taken by {}:{}", other.file, other.line);
        findings.error(source.file, line, column, message);
        return false;
    }
    let place = PolicyRef { id: id.into(), file: Arc::from(source.file), line };
    places.insert(PolicyId::new(id), place);
    true
}
