//! What a policy mentions of its input: the places that it reads and the constants that stand beside
//! them, from its syntax trees. Inputs that are made of them match its rules.
//!
//! Nothing is decided here, and what is not understood is left out.

mod constants;
mod references;
mod statements;

use std::collections::BTreeMap;

use regorus::Value;

use super::super::differential::{Recipe, Recipes};
use super::Policies;
use super::entry::EntryRule;
use super::input::{self, Reads};
use super::names::Names;
use super::paths::RulePath;
use super::rules::Kind;
use crate::request::AccessRequest;
use statements::Reader;

impl Policies {
    /// The document that a request is decided on.
    pub(in crate::policy) fn document(&self, request: &AccessRequest) -> Value {
        input::document(request, self.reads)
    }

    /// The document with all that a request is, whether a rule reads it or not.
    pub(in crate::policy) fn whole_document(&self, request: &AccessRequest) -> Value {
        input::document(request, Reads::everything())
    }

    /// What the bundle's rules mention, those of the entry point first among them.
    pub(in crate::policy) fn recipes(&self) -> Recipes {
        let rules = || self.rules.iter();
        let groups: BTreeMap<&RulePath, usize> =
            rules().enumerate().map(|(group, (path, _))| (path, group)).collect();
        let data = self.engine.get_data();
        let mut recipes = Recipes::default();
        for (_, definitions) in rules() {
            let read = |definition: &super::rules::Definition| {
                let names = Names::of(&definition.module, &self.rules);
                let mut reader = Reader::new(&names, &self.rules, &groups, &data);
                reader.rule(&definition.rule);
                recipes.places.extend(reader.places);
                reader.recipe
            };
            let given = definitions.iter().filter(|definition| definition.kind != Kind::Default);
            let group: Vec<Recipe> = given.map(read).collect();
            recipes.groups.push(group);
        }
        let entry = [Some(&self.entry.allow), self.entry.deny.as_ref()];
        let with_parts = |rule: &'_ EntryRule| {
            let parts = rule.parts.iter().map(|part| part.path.clone());
            parts.chain([rule.path.clone()]).collect::<Vec<_>>()
        };
        let paths = entry.into_iter().flatten().flat_map(with_parts);
        recipes.entry = paths.filter_map(|path| groups.get(&path).copied()).collect();
        recipes
    }
}
