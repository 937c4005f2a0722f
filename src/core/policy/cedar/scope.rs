//! A policy's scope in numbers, and whether it lets a request through, exactly as Cedar says.

use std::collections::HashMap;

use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};

/// The number of an entity that some scope names.
pub(super) type Name = u32;

/// All entities that scopes name: no other can matter to them.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<EntityUid, Name>);

/// One of the three entities of a request, as scopes see it.
#[derive(Debug)]
pub(super) struct Asked {
    kind: EntityTypeName,
    own: Option<Name>,
    /// Its own name and those of its ancestors, each once.
    all: Vec<Name>,
}

#[derive(Debug)]
pub(super) struct Scope {
    principal: Side,
    action: Actions,
    resource: Side,
}

/// What a scope asks of the principal or of the resource.
#[derive(Debug)]
struct Side {
    kind: Option<EntityTypeName>,
    named: Named,
}

#[derive(Clone, Copy, Debug)]
enum Named {
    Nobody,
    Itself(Name),
    In(Name),
}

#[derive(Debug)]
enum Actions {
    Any,
    Itself(Name),
    In(Vec<Name>),
}

impl Names {
    pub(super) fn number(&mut self, uid: EntityUid) -> Name {
        // There are fewer than 2³² entities in a bundle of bounded size.
        let next = Name::try_from(self.0.len()).unwrap_or(Name::MAX);
        *self.0.entry(uid).or_insert(next)
    }

    /// An entity and its ancestors as scopes see them.
    pub(super) fn asked<'a>(
        &self,
        uid: &EntityUid,
        above: impl Iterator<Item = &'a EntityUid>,
    ) -> Asked {
        let own = self.0.get(uid).copied();
        let mut all: Vec<Name> = above.filter_map(|uid| self.0.get(uid).copied()).collect();
        all.extend(own);
        all.sort_unstable();
        all.dedup();
        Asked { kind: uid.type_name().clone(), own, all }
    }
}

impl Asked {
    /// Its names, and `None` for the scopes that name nobody.
    pub(super) fn names(&self) -> impl Iterator<Item = Option<Name>> {
        self.all.iter().copied().map(Some).chain([None])
    }
}

impl Scope {
    pub(super) fn of(policy: &Policy, names: &mut Names) -> Self {
        let mut number = |uid| names.number(uid);
        let (kind, named) = match policy.principal_constraint() {
            PrincipalConstraint::Any => (None, Named::Nobody),
            PrincipalConstraint::Eq(uid) => (None, Named::Itself(number(uid))),
            PrincipalConstraint::In(uid) => (None, Named::In(number(uid))),
            PrincipalConstraint::Is(kind) => (Some(kind), Named::Nobody),
            PrincipalConstraint::IsIn(kind, uid) => (Some(kind), Named::In(number(uid))),
        };
        let principal = Side { kind, named };
        let (kind, named) = match policy.resource_constraint() {
            ResourceConstraint::Any => (None, Named::Nobody),
            ResourceConstraint::Eq(uid) => (None, Named::Itself(number(uid))),
            ResourceConstraint::In(uid) => (None, Named::In(number(uid))),
            ResourceConstraint::Is(kind) => (Some(kind), Named::Nobody),
            ResourceConstraint::IsIn(kind, uid) => (Some(kind), Named::In(number(uid))),
        };
        let resource = Side { kind, named };
        let action = match policy.action_constraint() {
            ActionConstraint::Any => Actions::Any,
            ActionConstraint::Eq(uid) => Actions::Itself(number(uid)),
            ActionConstraint::In(uids) => Actions::In(uids.into_iter().map(number).collect()),
        };
        Self { principal, action, resource }
    }

    /// Whom the principal's side names.
    pub(super) fn principal(&self) -> Option<Name> {
        self.principal.named.name()
    }

    /// What the resource's side names.
    pub(super) fn resource(&self) -> Option<Name> {
        self.resource.named.name()
    }

    pub(super) fn matches(&self, principal: &Asked, action: &Asked, resource: &Asked) -> bool {
        let is_action = match &self.action {
            Actions::Any => true,
            Actions::Itself(name) => action.own == Some(*name),
            Actions::In(names) => names.iter().any(|name| action.all.contains(name)),
        };
        is_action && self.principal.matches(principal) && self.resource.matches(resource)
    }
}

impl Side {
    fn matches(&self, asked: &Asked) -> bool {
        let is_kind = self.kind.as_ref().is_none_or(|kind| *kind == asked.kind);
        is_kind
            && match self.named {
                Named::Nobody => true,
                Named::Itself(name) => asked.own == Some(name),
                Named::In(name) => asked.all.binary_search(&name).is_ok(),
            }
    }
}

impl Named {
    const fn name(self) -> Option<Name> {
        match self {
            Self::Nobody => None,
            Self::Itself(name) | Self::In(name) => Some(name),
        }
    }
}
