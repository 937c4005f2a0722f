//! The scope of a policy: which of its three parts keeps a request out.

use cedar_policy::{
    ActionConstraint, EvalResult, Expression, Policy, PrincipalConstraint, ResourceConstraint,
    eval_expression,
};

use super::On;
use crate::policy::explanation::{Node, NodeKind, Seen, Truth, cut};

/// The parts that do not match, each as Cedar writes it. Whether the action matches the index knows.
pub(super) fn scope_misses(policy: &Policy, is_action: bool, on: On<'_>) -> Vec<Node> {
    let principal = match policy.principal_constraint() {
        PrincipalConstraint::Any => None,
        PrincipalConstraint::Eq(uid) => Some(format!("principal == {uid}")),
        PrincipalConstraint::In(uid) => Some(format!("principal in {uid}")),
        PrincipalConstraint::Is(kind) => Some(format!("principal is {kind}")),
        PrincipalConstraint::IsIn(kind, uid) => Some(format!("principal is {kind} in {uid}")),
    };
    let action = match policy.action_constraint() {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(uid) => Some(format!("action == {uid}")),
        ActionConstraint::In(uids) => {
            let uids: Vec<String> = uids.iter().map(ToString::to_string).collect();
            Some(match uids.as_slice() {
                [only] => format!("action in {only}"),
                several => format!("action in [{}]", several.join(", ")),
            })
        }
    };
    let resource = match policy.resource_constraint() {
        ResourceConstraint::Any => None,
        ResourceConstraint::Eq(uid) => Some(format!("resource == {uid}")),
        ResourceConstraint::In(uid) => Some(format!("resource in {uid}")),
        ResourceConstraint::Is(kind) => Some(format!("resource is {kind}")),
        ResourceConstraint::IsIn(kind, uid) => Some(format!("resource is {kind} in {uid}")),
    };
    let mut misses = Vec::new();
    misses
        .extend(principal.filter(|text| !holds(text, on)).map(|text| miss(text, "principal", on)));
    misses.extend(action.filter(|_| !is_action).map(|text| miss(text, "action", on)));
    misses.extend(resource.filter(|text| !holds(text, on)).map(|text| miss(text, "resource", on)));
    misses
}

fn holds(text: &str, on: On<'_>) -> bool {
    matches!(value(text, on), Some(Ok(EvalResult::Bool(true))))
}

/// Cedar's value of an expression; `None` where the text is none.
pub(super) fn value(text: &str, on: On<'_>) -> Option<Result<EvalResult, ()>> {
    let expression: Expression = text.parse().ok()?;
    Some(eval_expression(on.request, on.entities, &expression).map_err(drop))
}

/// A name or an attribute with its value.
pub(super) fn seen(text: &str, on: On<'_>) -> Option<Seen> {
    let value = match value(text, on)? {
        Ok(value) => cut(&on.masks.hide(&value.to_string())),
        Err(()) => "no value".to_owned(),
    };
    Some(Seen { text: text.to_owned(), value })
}

fn miss(text: String, name: &str, on: On<'_>) -> Node {
    let mut node = Node::new(NodeKind::Scope, cut(&text), Truth::False);
    node.values.extend(seen(name, on));
    node
}
