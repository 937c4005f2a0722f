//! The actions of HTTP requests, each with the groups above it.

use std::collections::HashSet;

use cedar_policy::{Entity, EntityUid, Schema};
use http::Method;

use super::index::Index;
use super::scope::Asked;
use super::words::{ACTIONS, OTHER};

#[derive(Debug)]
pub(super) struct Actions {
    named: Vec<Action>,
    other: Action,
}

#[derive(Debug)]
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) entity: Entity,
    pub(super) asked: Asked,
}

impl Actions {
    pub(super) fn of(schema: &Schema, index: &Index) -> Result<Self, Box<dyn std::error::Error>> {
        let described = schema.action_entities()?;
        let action = |name: &'static str| -> Result<Action, Box<dyn std::error::Error>> {
            let uid: EntityUid = format!("Action::\"{name}\"").parse()?;
            let above: HashSet<EntityUid> =
                described.ancestors(&uid).into_iter().flatten().cloned().collect();
            let asked = index.asked(&uid, above.iter());
            Ok(Action { name, entity: Entity::new_no_attrs(uid, above), asked })
        };
        let named = ACTIONS.into_iter().map(action).collect::<Result<_, _>>()?;
        Ok(Self { named, other: action(OTHER)? })
    }

    /// The action of a method: a method that is none of [`ACTIONS`], whatever its name, is `OTHER`.
    pub(super) fn of_method(&self, method: &Method) -> &Action {
        let action = self.named.iter().find(|action| action.name == method.as_str());
        action.unwrap_or(&self.other)
    }
}
