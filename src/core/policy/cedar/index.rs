//! The policies by action: a request meets only those whose scope names its method.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    ActionConstraint, Entities, Entity, EntityUid, Policy, PolicyId, PolicySet, PolicySetError,
    Schema,
};

use super::facts::{Attribute, attributes};
use super::links::Linked;
use super::reads::Reads;
use super::words::{ACTIONS, OTHER};

/// Everything that one action needs to be decided.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) action: Entity,
    pub(super) policies: PolicySet,
    pub(super) reads: Reads,
    /// The attributes of the context among what is read.
    pub(super) attributes: Vec<Attribute>,
}

/// By the action's id.
#[derive(Debug)]
pub(super) struct Index(BTreeMap<&'static str, Bucket>);

impl Index {
    /// The bucket of an action of [`super::words`].
    pub(super) fn bucket(&self, action: &str) -> Option<&Bucket> {
        self.0.get(action)
    }

    /// Splits a validated set. Scopes cannot raise errors, so leaving a policy out whose scope names
    /// other actions changes no decision, no reason and no error.
    pub(super) fn build(
        set: &PolicySet,
        links: &[Linked],
        schema: &Schema,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let links: BTreeMap<&PolicyId, &Linked> =
            links.iter().map(|linked| (&linked.id, linked)).collect();
        let actions = schema.action_entities()?;
        let mut index = BTreeMap::new();
        for name in ACTIONS.into_iter().chain([OTHER]) {
            let uid: EntityUid = format!("Action::\"{name}\"").parse()?;
            let mut bucket = Bucket::build(uid, &actions, set, &links)?;
            bucket.attributes = attributes(&bucket.reads);
            index.insert(name, bucket);
        }
        Ok(Self(index))
    }
}

impl Bucket {
    /// The policies of `set` whose scope names the action or a group of it.
    pub(super) fn build(
        uid: EntityUid,
        actions: &Entities,
        set: &PolicySet,
        links: &BTreeMap<&PolicyId, &Linked>,
    ) -> Result<Self, Box<PolicySetError>> {
        let ancestors: BTreeSet<EntityUid> =
            actions.ancestors(&uid).into_iter().flatten().cloned().collect();
        let action = Entity::new_no_attrs(uid.clone(), ancestors.iter().cloned().collect());
        let mut bucket = Self::of(action);
        for policy in set.policies() {
            let is_named = |named: &EntityUid| *named == uid || ancestors.contains(named);
            let matches = match policy.action_constraint() {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(named) => is_named(&named),
                ActionConstraint::In(named) => named.iter().any(is_named),
            };
            if matches {
                bucket.add(policy, links.get(policy.id()).copied(), set)?;
            }
        }
        Ok(bucket)
    }

    fn of(action: Entity) -> Self {
        let (policies, reads) = (PolicySet::new(), Reads::default());
        Self { action, policies, reads, attributes: Vec::new() }
    }

    fn add(
        &mut self,
        policy: &Policy,
        linked: Option<&Linked>,
        set: &PolicySet,
    ) -> Result<(), Box<PolicySetError>> {
        let Some(linked) = linked else {
            self.reads.add(policy.to_json().ok().as_ref());
            return self.policies.add(policy.clone()).map_err(Box::new);
        };
        let Linked { template, id, values } = linked;
        if self.policies.template(template).is_none()
            && let Some(template) = set.template(template)
        {
            self.reads.add(template.to_json().ok().as_ref());
            self.policies.add_template(template.clone()).map_err(Box::new)?;
        }
        self.policies.link(template.clone(), id.clone(), values.clone()).map_err(Box::new)
    }
}
