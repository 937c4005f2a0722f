//! The policies by whom and what their scopes name: a request meets only those whose scope lets it
//! through, however many others there are.
//!
//! Scopes cannot raise errors, so leaving a policy out whose scope does not match changes no decision,
//! no reason and no error.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Effect, EntityTypeName, EntityUid, Policy, PolicySet};

use super::conditions::{Condition, Conditions};
use super::facts::Attributes;
use super::parse::Places;
use super::reads::Reads;
use super::scope::{Asked, Name, Names, Scope};
use super::words::named;
use crate::policy::{PolicyRef, PolicyWay, Way};

/// All policies of a bundle, links of templates among them.
#[derive(Debug, Default)]
pub(super) struct Index {
    policies: Vec<Indexed>,
    names: Names,
    /// By the principal and the resource that is named; each policy stands under one pair.
    found: HashMap<(Option<Name>, Option<Name>), Vec<Number>>,
    /// The headers and query keys that policies ask for.
    pub(super) tags: Reads,
    /// The paths under which policies stand by their first test.
    pub(super) paths: Vec<EntityUid>,
}

/// A policy's place in the index.
pub(super) type Number = u32;

#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) place: PolicyRef,
    pub(super) effect: Effect,
    pub(super) condition: Option<Arc<Condition>>,
    scope: Scope,
    /// What a request must bear for the policy to be found; `None` where every request of its actions
    /// meets it.
    found_by: Option<&'static str>,
}

/// The policies that a request meets, and what evaluating them takes.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Those whose scope is all there is: they hold.
    pub(super) holding: Vec<Number>,
    /// Those whose condition decides.
    pub(super) conditional: Vec<Number>,
    pub(super) attributes: Attributes,
    pub(super) needs_entities: bool,
}

impl Index {
    /// Indexes a validated set. With the type of `paths`, a policy also stands under the path that its
    /// first test asks for: only where every request has a path in its context and among the
    /// ancestors of its resource.
    pub(super) fn build(
        set: &PolicySet,
        conditions: &Conditions,
        places: &Places,
        paths: Option<&EntityTypeName>,
    ) -> Self {
        let mut index = Self::default();
        for policy in set.policies() {
            let text = policy.template_id().unwrap_or_else(|| policy.id());
            // Every policy of the set has a place, and its text a condition: else it did not load.
            let (Some(place), Some(condition)) = (places.get(policy.id()), conditions.get(text))
            else {
                continue;
            };
            index.add(policy, place.clone(), condition.clone(), paths);
        }
        index
    }

    fn add(
        &mut self,
        policy: &Policy,
        place: PolicyRef,
        condition: Option<Arc<Condition>>,
        paths: Option<&EntityTypeName>,
    ) {
        let scope = Scope::of(policy, &mut self.names);
        let first_test = condition.as_ref().and_then(|condition| condition.path.as_deref());
        let path = first_test.zip(paths).map(|(path, kind)| {
            let uid = named(kind, path);
            self.paths.push(uid.clone());
            self.names.number(uid)
        });
        let (principal, resource) = (scope.principal(), scope.resource());
        let found_by = match (principal, resource, path) {
            (None, None, None) => None,
            (None, None, Some(_)) => Some("path"),
            (None, Some(_), None) => Some("resource"),
            (None, Some(_), Some(_)) => Some("resource and path"),
            (Some(_), None, None) => Some("principal"),
            (Some(_), None, Some(_)) => Some("principal and path"),
            (Some(_), Some(_), None) => Some("principal and resource"),
            (Some(_), Some(_), Some(_)) => Some("principal, resource and path"),
        };
        if let Some(condition) = &condition {
            self.tags.add_tags(&condition.reads);
        }
        // There are far fewer than 2³² policies in a bundle of bounded size.
        let number = Number::try_from(self.policies.len()).unwrap_or(Number::MAX);
        // A path says more than a service or a route.
        self.found.entry((principal, path.or(resource))).or_default().push(number);
        let effect = policy.effect();
        self.policies.push(Indexed { place, effect, condition, scope, found_by });
    }

    pub(super) fn policy(&self, number: Number) -> Option<&Indexed> {
        self.policies.get(usize::try_from(number).ok()?)
    }

    /// An entity and its ancestors as scopes see them.
    pub(super) fn asked<'a>(
        &self,
        uid: &EntityUid,
        above: impl Iterator<Item = &'a EntityUid>,
    ) -> Asked {
        self.names.asked(uid, above)
    }

    /// All policies whose scope matches, but for those whose first test is of another path.
    pub(super) fn candidates(
        &self,
        principal: &Asked,
        action: &Asked,
        resource: &Asked,
    ) -> Candidates {
        let mut candidates = Candidates::default();
        for who in principal.names() {
            for what in resource.names() {
                for number in self.found.get(&(who, what)).into_iter().flatten() {
                    let Some(policy) = self.policy(*number) else { continue };
                    if policy.scope.matches(principal, action, resource) {
                        candidates.add(*number, policy);
                    }
                }
            }
        }
        candidates
    }

    /// How each policy is evaluated.
    pub(super) fn ways(&self) -> impl Iterator<Item = PolicyWay> {
        self.policies.iter().map(|indexed| {
            let (way, why) = match (&indexed.condition, indexed.found_by) {
                (None, _) => (Way::Native, String::new()),
                (Some(_), Some(found_by)) => {
                    let why = format!("found by {found_by}; only Cedar can evaluate its condition");
                    (Way::Interpreter, why)
                }
                (Some(_), None) => {
                    let why = "its scope names no principal and no resource, and its condition does \
                               not begin with a test of the path";
                    (Way::Always, why.to_owned())
                }
            };
            PolicyWay { policy: indexed.place.clone(), way, why }
        })
    }
}

impl Candidates {
    pub(super) fn len(&self) -> usize {
        self.holding.len() + self.conditional.len()
    }

    fn add(&mut self, number: Number, policy: &Indexed) {
        let Some(condition) = &policy.condition else {
            self.holding.push(number);
            return;
        };
        self.conditional.push(number);
        self.attributes.add(condition.attributes);
        self.needs_entities |= condition.reads.entities();
    }
}
