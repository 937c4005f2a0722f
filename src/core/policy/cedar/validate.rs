//! Strict validation, file by file, so that every complaint has its line.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    PolicyId, PolicySet, ValidationError, ValidationMode, ValidationWarning, Validator,
};

use super::Findings;
use super::links::Linked;
use super::parse::{ParsedFile, Places};
use super::place::{report, sentence};
use crate::policy::{Finding, Severity};

/// A policy at this level looks only into the principal, the action, the resource and the entities of
/// the context, all of which are at hand.
const REQUEST_LEVEL: u32 = 1;

/// The end of Cedar's complaint about a policy for every action that reads what only HTTP has.
const NOT_OF_CONNECT: &str = "in context for Action::\"connect\" not found";
const ONLY_HTTP: &str = "a TCP connection has no request: put `action in Action::\"http\"` into \
                         the policy's scope";

/// Validates the policies and templates of one file; `deep` gets those above [`REQUEST_LEVEL`].
pub(super) fn file(
    validator: &Validator,
    file: &ParsedFile<'_>,
    deep: &mut BTreeSet<PolicyId>,
    findings: &mut Findings,
) {
    let (name, text) = (file.source.file, file.source.text);
    let start = |id: &PolicyId| file.statements.get(id).map(|statement| statement.start);
    let result = validator.validate_with_level(&file.set, ValidationMode::Strict, REQUEST_LEVEL);
    let mut errors = Findings::default();
    for error in result.validation_errors() {
        if let ValidationError::EntityDerefLevelViolation(_) = error {
            deep.insert(error.policy_id().clone());
            continue;
        }
        let fallback = start(error.policy_id());
        report(&mut errors, Severity::Error, name, text, error, fallback);
    }
    for mut error in once_for_all_actions(errors) {
        if error.message.contains(NOT_OF_CONNECT) {
            error.hint = Some(ONLY_HTTP.to_owned());
        }
        findings.0.push(error);
    }
    for warning in result.validation_warnings() {
        let Some(hint) = hint_of(warning) else { continue };
        let mut told = Findings::default();
        report(&mut told, Severity::Warning, name, text, warning, start(warning.policy_id()));
        for mut warning in told.0 {
            warning.hint.get_or_insert_with(|| hint.to_owned());
            findings.0.push(warning);
        }
    }
}

/// What to do about a warning; `None` for those of [`super::confusable`], which has their places.
const fn hint_of(warning: &ValidationWarning) -> Option<&'static str> {
    match warning {
        ValidationWarning::ImpossiblePolicy(_) => {
            Some("the policy decides nothing: a name, a type or a condition is not the one meant")
        }
        ValidationWarning::InvalidActionApplication(_) => Some(
            "the policy decides nothing: requests have a `Workload` or `Anonymous` as principal \
                  and a `Route` as resource",
        ),
        // A kind that is new in Cedar is told as it is.
        ValidationWarning::MixedScriptString(_)
        | ValidationWarning::BidiCharsInString(_)
        | ValidationWarning::BidiCharsInIdentifier(_)
        | ValidationWarning::MixedScriptIdentifier(_)
        | ValidationWarning::ConfusableIdentifier(_) => None,
        _ => Some("the policy loads all the same"),
    }
}

/// Cedar complains about one place for each action that the policy's scope lets through.
fn once_for_all_actions(errors: Findings) -> impl Iterator<Item = Finding> {
    let mut seen: BTreeMap<(u32, u32, String), Finding> = BTreeMap::new();
    for mut error in errors.0 {
        let (before, after) = error.message.split_once(" for Action::\"").unwrap_or(("", ""));
        let without_action = match after.split_once('"') {
            Some((_, after)) => format!("{before}{after}"),
            None => error.message.clone(),
        };
        let place = (error.line, error.column, without_action);
        if seen.contains_key(&place) {
            error.message.clone_from(&place.2);
        }
        seen.insert(place, error);
    }
    seen.into_values()
}

/// Validates what the links put into their templates; the templates themselves are validated already.
pub(super) fn links(
    validator: &Validator,
    set: &PolicySet,
    links: &[Linked],
    places: &Places,
    findings: &mut Findings,
) {
    let mut linked = PolicySet::new();
    for Linked { template, id, values } in links {
        if linked.template(template).is_none()
            && let Some(template) = set.template(template)
            && let Err(error) = linked.add_template(template.clone())
        {
            findings.error("", 0, 0, sentence(&error));
        }
        if let Err(error) = linked.link(template.clone(), id.clone(), values.clone()) {
            findings.error("", 0, 0, sentence(&error));
        }
    }
    let ids: BTreeSet<&PolicyId> = links.iter().map(|linked| &linked.id).collect();
    let result = validator.validate(&linked, ValidationMode::Strict);
    for error in result.validation_errors().filter(|error| ids.contains(error.policy_id())) {
        let (file, line) = places
            .get(error.policy_id())
            .map_or(("", 0), |place| (place.file.as_ref(), place.line));
        findings.error(file, line, 0, sentence(error));
    }
}
