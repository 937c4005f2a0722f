//! Why the Cedar policies of a bundle are satisfied or not by one request.
//!
//! Cedar itself says which policies are satisfied and which raise an error; for a denial by a forbid
//! it is asked once more without the forbids, since its answer does not name the permits then. What
//! is inside a policy is told by the values that Cedar gives to parts of its text.

mod clauses;
mod scope;

use std::collections::BTreeSet;

use cedar_policy::{
    ActionConstraint, Authorizer, Effect, Entities, EntityUid, Policy, PolicyId, PolicySet,
    Request, Response,
};

use super::Policies;
use crate::policy::PolicyRef;
use crate::policy::explanation::{Asked, Detail, Masks, Node, NodeKind, Truth};
use clauses::clauses;
use scope::scope_misses;

/// Policies out of scope that are shown all the same where nothing permits: those that only one part
/// of their scope keeps out.
const MAX_NEAR: usize = 3;

/// What parts of policies are evaluated on.
#[derive(Clone, Copy)]
struct On<'a> {
    request: &'a Request,
    entities: &'a Entities,
    masks: &'a Masks<'a>,
}

/// The policies that Cedar names.
#[derive(Debug, Default)]
struct Answered {
    satisfied: BTreeSet<PolicyId>,
    erring: BTreeSet<PolicyId>,
}

/// A policy that the scope keeps out.
struct Out<'a> {
    policy: &'a Policy,
    place: &'a PolicyRef,
    misses: Vec<Node>,
}

impl Policies {
    /// Each policy whose scope matched, and what is known of the others.
    pub(in crate::policy) fn explain(&self, asked: Asked<'_>) -> Vec<Node> {
        let action = self.actions.of_method(&asked.request.head.method).entity.uid();
        let Ok((request, entities)) = self.whole_request(asked.request) else { return Vec::new() };
        let on = On { request: &request, entities: &entities, masks: asked.masks };
        let answered = self.answered(on);
        let (mut nodes, mut out) = (Vec::new(), Vec::new());
        for policy in self.set.policies() {
            let Some(place) = self.places.get(policy.id()) else { continue };
            let misses = scope_misses(policy, names(policy, &action, &entities), on);
            if misses.is_empty() {
                nodes.push(self.policy(policy, place, &answered, on, asked));
            } else {
                out.push(Out { policy, place, misses });
            }
        }
        let is_permitted = nodes.iter().any(|node: &Node| node.result == Truth::True);
        nodes.sort_by_key(place_of);
        nodes.extend(out_of_scope(out, is_permitted, asked.detail));
        nodes
    }

    fn answered(&self, on: On<'_>) -> Answered {
        let mut answered = Answered::default();
        let ask = |policies: &PolicySet| -> Response {
            Authorizer::new().is_authorized(on.request, policies, on.entities)
        };
        let response = ask(&self.set);
        answered.add(&response);
        let forbids: Vec<(PolicyId, bool)> = self
            .set
            .policies()
            .filter(|policy| policy.effect() == Effect::Forbid)
            .map(|policy| (policy.id().clone(), policy.is_static()))
            .collect();
        if forbids.iter().any(|(id, _)| answered.satisfied.contains(id)) {
            let mut permits = self.set.clone();
            for (id, is_static) in forbids {
                let removed =
                    if is_static { permits.remove_static(id) } else { permits.unlink(id) };
                if removed.is_err() {
                    return answered;
                }
            }
            answered.add(&ask(&permits));
        }
        answered
    }

    fn policy(
        &self,
        policy: &Policy,
        place: &PolicyRef,
        answered: &Answered,
        on: On<'_>,
        asked: Asked<'_>,
    ) -> Node {
        let result = if answered.erring.contains(policy.id()) {
            Truth::Error
        } else if answered.satisfied.contains(policy.id()) {
            Truth::True
        } else {
            Truth::False
        };
        let mut node = Node::new(NodeKind::Policy, place.id.to_string(), result);
        node = node.at(&place.file, place.line);
        node.decided = asked.is_deciding(&place.id, &place.file, place.line);
        let effect = effect_of(policy);
        let would = policy.effect() == Effect::Permit && result == Truth::True && !node.decided;
        node.note = Some(match would {
            true => format!("{effect}, would allow by itself"),
            false => effect.to_owned(),
        });
        let template = policy.template_id().and_then(|id| self.set.template(id));
        let text = match template {
            Some(template) => Some((template.to_cedar(), policy.template_id())),
            None => policy.to_cedar().map(|text| (text, None)),
        };
        if let Some((text, template)) = text {
            let at = template.and_then(|id| self.places.get(id)).unwrap_or(place);
            node.children = clauses(&text, at, on);
        }
        node
    }
}

impl Answered {
    fn add(&mut self, response: &Response) {
        let diagnostics = response.diagnostics();
        self.satisfied.extend(diagnostics.reason().cloned());
        for error in diagnostics.errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            self.erring.insert(error.policy_id().clone());
        }
    }
}

/// Whether a policy's scope names an action or a group of it.
fn names(policy: &Policy, action: &EntityUid, entities: &Entities) -> bool {
    let is_named = |named: &EntityUid| named == action || entities.is_ancestor_of(named, action);
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(named) => is_named(&named),
        ActionConstraint::In(named) => named.iter().any(is_named),
    }
}

const fn effect_word(effect: Effect) -> &'static str {
    match effect {
        Effect::Permit => "permit",
        Effect::Forbid => "forbid",
    }
}

fn effect_of(policy: &Policy) -> &'static str {
    effect_word(policy.effect())
}

fn place_of(node: &Node) -> (String, u32) {
    node.place.as_ref().map_or_else(Default::default, |place| (place.file.clone(), place.line))
}

/// A count, and those that say what a caller lacks.
fn out_of_scope(mut out: Vec<Out<'_>>, is_permitted: bool, detail: Detail) -> Vec<Node> {
    out.sort_by(|a, b| (&a.place.file, a.place.line).cmp(&(&b.place.file, b.place.line)));
    let is_near = |out: &Out<'_>| {
        !is_permitted && out.misses.len() == 1 && out.policy.effect() == Effect::Permit
    };
    let (mut nodes, mut left) = (Vec::new(), 0_usize);
    for out in out {
        let is_shown = match detail {
            Detail::Full => true,
            Detail::Brief => nodes.len() < MAX_NEAR && is_near(&out),
        };
        if !is_shown {
            left += 1;
            continue;
        }
        let mut node = Node::new(NodeKind::Policy, out.place.id.to_string(), Truth::False);
        node = node.at(&out.place.file, out.place.line);
        node.note = Some(format!("{}, out of scope", effect_of(out.policy)));
        node.children = out.misses;
        nodes.push(node);
    }
    if left > 0 {
        let are = if left == 1 { "policy is" } else { "policies are" };
        let text =
            format!("{left} {} {are} out of scope", if nodes.is_empty() { "" } else { "more" });
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        nodes.push(Node::new(NodeKind::Summary, text, Truth::False));
    }
    nodes
}
