//! The meaning of a bundle's Cedar policies: the plain authorizer over all of them, with all that a
//! request is and all entities that the bundle describes, and our rule over errors.
//!
//! Nothing here is indexed, cached or left out: what decides requests must say the same.

use cedar_policy::{AuthorizationError, Authorizer, Decision, Entities, Request, Response};

use super::facts::{self, Attributes, Facts};
use super::parse::Places;
use super::place::sentence;
use super::reads::Reads;
use super::tally::sorted;
use super::{Policies, failed};
use crate::policy::decide::Verdict;
use crate::policy::{EvaluationError, Outcome, Reason};
use crate::request::AccessRequest;

impl Policies {
    /// Decides by evaluating every policy; slow, and equal to [`Self::evaluate`].
    pub(in crate::policy) fn evaluate_whole(&self, request: &AccessRequest) -> Verdict {
        match self.whole_request(request) {
            Ok((request, entities)) => {
                let response = Authorizer::new().is_authorized(&request, &self.set, &entities);
                verdict(&self.places, &response)
            }
            Err(error) => failed(sentence(&*error)),
        }
    }

    /// The request with all that it is, and all entities around it.
    pub(super) fn whole_request(
        &self,
        request: &AccessRequest,
    ) -> Result<(Request, Entities), Box<dyn std::error::Error>> {
        let (words, connection) = (&self.words, &request.connection);
        let action = self.actions.of_method(&request.head.method).entity.uid();
        let caller = connection.engine_values.cedar.caller(words, connection);
        let attributes = Attributes::among(&Reads::ALL);
        let context = facts::context(attributes, Facts { words, caller, request })?;
        let resource = self.hierarchy.resource(words, request);
        let tagged = facts::tagged(words, attributes, &Reads::ALL, request)?;
        let entities = self.hierarchy.whole(words, &caller.principal, tagged, request)?;
        let request = Request::new(caller.principal.clone(), action, resource, context, None)?;
        Ok((request, entities))
    }
}

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
    sorted(Verdict { policies, errors, ..Verdict::of(outcome, reason) })
}

fn evaluation_error(places: &Places, error: &AuthorizationError) -> EvaluationError {
    let AuthorizationError::PolicyEvaluationError(error) = error;
    let policy = places.get(error.policy_id()).cloned();
    EvaluationError { policy, text: sentence(error.inner()) }
}
