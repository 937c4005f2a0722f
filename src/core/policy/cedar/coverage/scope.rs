//! Whether a request is one that a policy speaks of at all.

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, EntityUid, Policy, PrincipalConstraint, Request,
    ResourceConstraint,
};

/// Whether the policy's scope matches, with the slots of a template filled. It never fails.
pub(super) fn matches(policy: &Policy, request: &Request, entities: &Entities) -> bool {
    let (Some(principal), Some(action), Some(resource)) =
        (request.principal(), request.action(), request.resource())
    else {
        return false;
    };
    let is_in = |uid: &EntityUid, of: &EntityUid| uid == of || entities.is_ancestor_of(of, uid);
    let is_a = |uid: &EntityUid, name: &EntityTypeName| uid.type_name() == name;
    let principal_matches = match policy.principal_constraint() {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::In(of) => is_in(principal, &of),
        PrincipalConstraint::Eq(uid) => *principal == uid,
        PrincipalConstraint::Is(name) => is_a(principal, &name),
        PrincipalConstraint::IsIn(name, of) => is_a(principal, &name) && is_in(principal, &of),
    };
    let action_matches = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::In(of) => of.iter().any(|of| is_in(action, of)),
        ActionConstraint::Eq(uid) => *action == uid,
    };
    let resource_matches = match policy.resource_constraint() {
        ResourceConstraint::Any => true,
        ResourceConstraint::In(of) => is_in(resource, &of),
        ResourceConstraint::Eq(uid) => *resource == uid,
        ResourceConstraint::Is(name) => is_a(resource, &name),
        ResourceConstraint::IsIn(name, of) => is_a(resource, &name) && is_in(resource, &of),
    };
    principal_matches && action_matches && resource_matches
}
