//! Cedar policies through cedar-policy.
//!
//! `*.cedar`, `*.cedarschema`, `entities.json` and `templates.json` enter, a validated set by action
//! leaves, or findings. A request becomes principal, action, resource and context, typed by
//! construction; any error in a policy that was evaluated is an error of the decision, since Cedar by
//! itself would skip a forbid that fails.

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
mod hierarchy;
mod index;
mod conform;
mod outline;
mod coverage;
mod explain;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::rc::Rc;

use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Entities, PolicySet, Request, Response, Schema,
    Validator,
};

use super::decide::Verdict;
use super::{EvaluationError, Files, Findings, Outcome, Reason, progress};
use crate::request::AccessRequest;
pub use conform::{CedarAnswer, CedarCase, CedarRequest};
pub(super) use coverage::CoverageRun;
pub(super) use facts::ConnectionValues;
use facts::Facts;
use hierarchy::Hierarchy;
use index::{Bucket, Index};
use parse::Places;
pub(super) use parse::parses;
pub(super) use scan::tokens;
use words::Words;

/// The validated Cedar policies of a bundle.
#[derive(Debug)]
pub(super) struct Policies {
    words: Words,
    index: Index,
    hierarchy: Hierarchy,
    places: Places,
    authorizer: Authorizer,
    /// Every policy, for those that evaluate without a request of ours.
    set: PolicySet,
    schema: Schema,
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
        let named = literals::of(&parsed, &links, |_| true);
        let deep = literals::of(&parsed, &links, |id| deep.contains(id));
        let hierarchy = Hierarchy::new(&words, given, &named, &deep);
        let hierarchy = hierarchy.map_err(|error| findings.error("", 0, 0, error)).ok()?;
        let index = Index::build(&set, &links, validator.schema());
        let index =
            index.map_err(|error| findings.error("", 0, 0, place::sentence(&*error))).ok()?;
        let (authorizer, schema) = (Authorizer::new(), validator.schema().clone());
        let policies = Self { words, index, hierarchy, places, authorizer, set, schema };
        (policies.count() > 0).then_some(policies)
    }

    pub(super) fn count(&self) -> usize {
        self.set.num_of_policies()
    }

    /// All policies and the schema that they were validated against.
    pub(super) fn set_and_schema(&self) -> (&PolicySet, &Schema) {
        (&self.set, &self.schema)
    }

    /// Decides under the policies whose scope names the request's method.
    pub(super) fn evaluate(&self, request: &AccessRequest) -> Verdict {
        let action = words::action_of(&request.head.method);
        match self.index.bucket(action) {
            Some(bucket) if bucket.policies.is_empty() => {
                Verdict::of(Outcome::Deny, Reason::NotAllowed)
            }
            Some(bucket) => match self.response(action, bucket, request) {
                Ok(response) => verdict(&self.places, &response),
                Err(error) => failed(place::sentence(&*error)),
            },
            None => failed(format!("there is no action `{action}`")),
        }
    }

    fn response(
        &self,
        action: &'static str,
        bucket: &Bucket,
        request: &AccessRequest,
    ) -> Result<Response, Box<dyn std::error::Error>> {
        let prepared = self.prepare(action, bucket, request)?;
        let entities = match &prepared.own_entities {
            Some(entities) => entities,
            None => &prepared.slice.entities,
        };
        Ok(self.authorizer.is_authorized(&prepared.request, &bucket.policies, entities))
    }

    /// The request as Cedar takes it. It is typed by construction: the tests validate what is built
    /// here against the schema, so that no request has to be.
    fn prepare(
        &self,
        action: &'static str,
        bucket: &Bucket,
        request: &AccessRequest,
    ) -> Result<Prepared, Box<dyn std::error::Error>> {
        let connection = &request.connection;
        let words = &self.words;
        let caller = connection.engine_values.cedar.caller(words, connection);
        let principal = &caller.principal;
        let slice = self.hierarchy.slice(words, (action, &bucket.action), principal, request)?;
        let context = facts::context(&bucket.attributes, Facts { words, caller, request })?;
        let tagged = facts::tagged(words, &bucket.reads, request)?;
        let own_entities = match tagged.is_empty() {
            true => None,
            false => Some(slice.entities.clone().add_entities(tagged, None)?),
        };
        let (principal, resource) = (principal.clone(), slice.resource.clone());
        let request = Request::new(principal, bucket.action.uid(), resource, context, None)?;
        Ok(Prepared { request, slice, own_entities })
    }
}

/// Our rule over Cedar's answer: any error is the outcome, whatever else was satisfied.
fn verdict(places: &Places, response: &Response) -> Verdict {
    let diagnostics = response.diagnostics();
    let errors: Vec<_> =
        diagnostics.errors().map(|error| evaluation_error(places, error)).collect();
    let policies = match errors.is_empty() {
        true => diagnostics.reason().filter_map(|id| places.get(id).cloned()).collect(),
        false => errors.iter().filter_map(|error| error.policy.clone()).collect(),
    };
    let (outcome, reason) = match response.decision() {
        _ if !errors.is_empty() => (Outcome::Error, Reason::PolicyError),
        Decision::Allow => (Outcome::Allow, Reason::Allowed),
        // Cedar names the forbids that decided; where none did, nothing was permitted.
        Decision::Deny if diagnostics.reason().next().is_some() => {
            (Outcome::Deny, Reason::Forbidden)
        }
        Decision::Deny => (Outcome::Deny, Reason::NotAllowed),
    };
    let mut verdict = Verdict { policies, errors, ..Verdict::of(outcome, reason) };
    // Cedar reports from hashed sets; the record lists in one order.
    verdict.policies.sort();
    verdict.errors.sort_by(|a, b| (&a.policy, &a.text).cmp(&(&b.policy, &b.text)));
    verdict
}

fn evaluation_error(places: &Places, error: &AuthorizationError) -> EvaluationError {
    let AuthorizationError::PolicyEvaluationError(error) = error;
    let policy = places.get(error.policy_id()).cloned();
    EvaluationError { policy, text: place::sentence(error.inner()) }
}

/// A request that is ready to be evaluated.
#[derive(Debug)]
struct Prepared {
    request: Request,
    slice: Rc<hierarchy::Slice>,
    /// The slice and the request's own headers or query, where a policy reads them.
    own_entities: Option<Entities>,
}

fn failed(text: String) -> Verdict {
    let errors = vec![EvaluationError { policy: None, text }];
    Verdict { errors, ..Verdict::of(Outcome::Error, Reason::PolicyError) }
}
