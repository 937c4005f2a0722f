//! Cedar policies through cedar-policy.
//!
//! `*.cedar`, `*.cedarschema`, `entities.json` and `templates.json` enter, a validated set indexed by
//! scope leaves, or findings. A request becomes principal, action, resource and context, typed by
//! construction; any error in a policy that was evaluated is an error of the decision, since Cedar by
//! itself would skip a forbid that fails. `whole` says what all of it means.

mod words;
mod source;
mod scan;
mod place;
mod parse;
mod expansion;
mod schema;
mod validate;
mod ids;
mod literals;
mod json;
mod entities;
mod links;
mod annotations;
mod confusable;
mod overflow;
mod reads;
mod facts;
mod conditions;
mod scope;
mod index;
mod actions;
mod hierarchy;
mod slice;
mod tally;
mod whole;
mod conform;
mod outline;
mod coverage;
mod explain;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use cedar_policy::{Entities, PolicySet, Request, Schema, Validator};

use super::decide::Verdict;
use super::{EvaluationError, Files, Findings, Outcome, PolicyWay, Reason, progress};
use crate::request::AccessRequest;
use actions::{Action, Actions};
pub use conform::{CedarAnswer, CedarCase, CedarRequest};
pub(super) use coverage::CoverageRun;
pub(super) use facts::ConnectionValues;
use facts::{Caller, Facts};
use hierarchy::Hierarchy;
use index::Index;
use parse::Places;
pub(super) use parse::parses;
pub(super) use scan::tokens;
use slice::Slice;
use tally::Tally;
use words::Words;

static NEXT_BUNDLE: AtomicU64 = AtomicU64::new(0);

/// The validated Cedar policies of a bundle.
#[derive(Debug)]
pub(super) struct Policies {
    /// No other bundle of this process has it.
    number: u64,
    words: Words,
    index: Index,
    actions: Actions,
    hierarchy: Hierarchy,
    places: Places,
    /// Every policy, for those that evaluate without a request of ours.
    set: PolicySet,
    schema: Schema,
    no_entities: Entities,
}

/// Whether a file is Cedar policy text.
pub(super) fn is_policy(file: &str) -> bool {
    source::is_policy(file)
}

impl Policies {
    /// Parses, validates and indexes; `None` where there is no policy or a finding is an error.
    pub(super) fn load(files: &Files, findings: &mut Findings) -> Option<Self> {
        let words = match Words::new() {
            Ok(words) => words,
            Err(error) => {
                findings.error("", 0, 0, place::sentence(&*error));
                return None;
            }
        };
        let sources = source::policies(files, findings);
        let (parsed, mut places) = parse::parse(sources, findings);
        // Without a schema nothing else can be checked.
        let schema = schema::load(&source::schemas(files, findings), findings)?;
        let validator = Validator::new(schema);
        let mut set = PolicySet::new();
        let mut deep = BTreeSet::new();
        for file in &parsed {
            progress::at_file(file.source.file);
            validate::file(&validator, file, &mut deep, findings);
            annotations::check(file, findings);
            overflow::check(file, findings);
            if let Err(error) = set.merge(&file.set, false) {
                findings.error(file.source.file, 0, 0, place::sentence(&error));
            }
        }
        literals::check(&parsed, &words, findings);
        let link_sources = source::data(files, "templates.json", findings);
        let links = links::load(&link_sources, &words, &mut set, &mut places, findings);
        validate::links(&validator, &set, &links, &places, findings);
        links::unused(&parsed, &links, findings);
        let given = source::data(files, "entities.json", findings);
        let texts: Vec<_> = parsed.iter().map(|file| file.source).collect();
        confusable::check(&texts, &[&given[..], &link_sources].concat(), findings);
        let given = entities::load(&given, &words, validator.schema(), findings);
        if findings.has_errors() {
            return None;
        }
        let conditions = conditions::of(&parsed, findings);
        if findings.has_errors() {
            return None;
        }
        let index = Index::build(&set, &conditions, &places, Some(&words.path));
        let mut named = literals::of(&parsed, &links, |_| true);
        named.extend(index.paths.iter().cloned());
        let deep = literals::of(&parsed, &links, |id| deep.contains(id));
        let hierarchy = Hierarchy::new(&words, given, &named, &deep);
        let hierarchy = hierarchy.map_err(|error| findings.error("", 0, 0, error)).ok()?;
        let actions = Actions::of(validator.schema(), &index);
        let actions =
            actions.map_err(|error| findings.error("", 0, 0, place::sentence(&*error))).ok()?;
        let (number, schema) =
            (NEXT_BUNDLE.fetch_add(1, Ordering::Relaxed), validator.schema().clone());
        let no_entities = Entities::empty();
        let policies =
            Self { number, words, index, actions, hierarchy, places, set, schema, no_entities };
        (policies.count() > 0).then_some(policies)
    }

    pub(super) fn count(&self) -> usize {
        self.set.num_of_policies()
    }

    /// All policies and the schema that they were validated against.
    pub(super) fn set_and_schema(&self) -> (&PolicySet, &Schema) {
        (&self.set, &self.schema)
    }

    /// How each policy is evaluated.
    pub(super) fn ways(&self) -> Vec<PolicyWay> {
        self.index.ways().collect()
    }

    /// Decides under the policies whose scope lets the request through.
    pub(super) fn evaluate(&self, request: &AccessRequest) -> Verdict {
        match self.tally(request) {
            Ok(tally) => tally.verdict(),
            Err(error) => failed(place::sentence(&*error)),
        }
    }

    fn tally(&self, request: &AccessRequest) -> Result<Tally<'_>, Box<dyn std::error::Error>> {
        let connection = &request.connection;
        let action = self.actions.of_method(&request.head.method);
        let caller = connection.engine_values.cedar.caller(&self.words, connection);
        let slice = self.slice(action, caller, request);
        let mut tally = Tally::of_scopes(&self.index, &slice.candidates);
        if slice.candidates.conditional.is_empty() {
            return Ok(tally);
        }
        let prepared = self.prepare(&slice, action, caller, request)?;
        let entities = match &prepared.own_entities {
            Some(entities) => entities,
            None if slice.candidates.needs_entities => {
                self.entities(&slice, action, caller, request)?
            }
            None => &self.no_entities,
        };
        tally.evaluate(&self.index, &slice.candidates, &prepared.request, entities);
        Ok(tally)
    }

    /// The request as Cedar takes it, as far as the candidates read it. It is typed by construction:
    /// the tests validate what is built here against the schema, so that no request has to be.
    fn prepare(
        &self,
        slice: &Slice,
        action: &Action,
        caller: &Caller,
        request: &AccessRequest,
    ) -> Result<Prepared, Box<dyn std::error::Error>> {
        let (words, attributes) = (&self.words, slice.candidates.attributes);
        let context = facts::context(attributes, Facts { words, caller, request })?;
        let tagged = facts::tagged(words, attributes, &self.index.tags, request)?;
        let own_entities = match tagged.is_empty() {
            true => None,
            false => {
                let entities = self.entities(slice, action, caller, request)?;
                Some(entities.clone().add_entities(tagged, None)?)
            }
        };
        let (principal, resource) = (caller.principal.clone(), slice.resource.clone());
        let request = Request::new(principal, action.entity.uid(), resource, context, None)?;
        Ok(Prepared { request, own_entities })
    }
}

/// A request that is ready to be evaluated.
#[derive(Debug)]
struct Prepared {
    request: Request,
    /// The entities of the slice and the request's own headers or query, where a candidate reads them.
    own_entities: Option<Entities>,
}

fn failed(text: String) -> Verdict {
    let errors = vec![EvaluationError { policy: None, text }];
    Verdict { errors, ..Verdict::of(Outcome::Error, Reason::PolicyError) }
}
