//! Rego policies through regorus' interpreter with strict builtin errors.
//!
//! The files of a bundle enter [`Policies::load`], which refuses by name what could hang, abort or
//! surprise; a request enters [`Policies::evaluate`] and leaves as a verdict. An error inside a rule
//! is an error of the decision: it never becomes `undefined`, and so never an allow under `not`.

mod scan;
mod rewrite;
mod message;
mod paths;
mod rules;
mod names;
mod walk;
mod signs;
mod check;
mod types;
mod data;
mod builtins;
mod module_files;
mod load;
mod split;
mod entry;
mod input;
mod subject;
mod index;
mod result;
mod engines;
mod values;
mod evaluate;
mod mentions;
mod tests_runner;
mod outline;
mod coverage;
mod compliance;
mod explain;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use regorus::Engine;

use super::{Files, Findings, PolicyWay, Way};
use entry::{Entry, EntryRule, Plan};
use input::Reads;
use load::{Loaded, Modules};
use rules::Rules;

pub(super) use compliance::{Answer, BuiltinErrors, Input, Question, ask, is_raised_by_ours};
pub(super) use coverage::CoverageRun;
pub(super) use input::ConnectionValues;
pub(super) use load::module_of;
pub(super) use outline::test_items;
pub use tests_runner::{
    FailedExpression, RegoTestOutcome, RegoTestResult, SeenValue, run_rego_tests,
};
pub(super) use tests_runner::{TestRun, check_tests, run_selected_tests};

/// Numbers the bundles of this process, so that a thread knows its engines apart.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// The Rego part of a bundle, ready to decide.
#[derive(Debug)]
pub(super) struct Policies {
    id: u64,
    engine: Engine,
    rules: Rules,
    entry: Entry,
    reads: Reads,
    is_wide: bool,
}

impl Policies {
    /// Loads every `*.rego` file but the tests, and the data; `None` after an error finding.
    pub(super) fn load(files: &Files, entrypoint: &str, findings: &mut Findings) -> Option<Self> {
        Self::load_split(files, entrypoint, split::MIN_DEFINITIONS, findings)
    }

    /// Parses the entry definitions apart from the rest where there are at least so many.
    pub(super) fn load_split(
        files: &Files,
        entrypoint: &str,
        min_definitions: usize,
        findings: &mut Findings,
    ) -> Option<Self> {
        let loaded = load::load(files, Modules::Served, evaluate::TIME_LIMIT, findings)?;
        let Loaded { mut engine, mut rules, sources } = loaded;
        let before = findings.0.len();
        types::check(&rules, findings);
        sources.lead_back(findings.0.iter_mut().skip(before));
        if findings.has_errors() {
            return None;
        }
        let named = entry::named_by(entrypoint);
        let halves = split::split(&mut engine, &rules, &named, &sources, min_definitions);
        if let Some(halves) = halves {
            (engine, rules) = halves;
        }
        let entry = entry::resolve(entrypoint, &rules, findings)?;
        let reads = Reads::of(engine.get_modules());
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Some(Self { id, engine, rules, entry, reads, is_wide: false })
    }

    /// Gives builtins room for what a serving thread has no time for.
    pub(super) fn widen(&mut self) {
        self.is_wide = true;
    }

    /// Whether deciding may take longer than a serving thread has.
    pub(super) fn is_wide(&self) -> bool {
        self.is_wide
    }

    /// How each definition of the entry rules is evaluated.
    pub(super) fn ways(&self) -> Vec<PolicyWay> {
        let rules = std::iter::once(&self.entry.allow).chain(&self.entry.deny);
        rules.flat_map(|rule| std::iter::once(rule).chain(&rule.parts)).flat_map(of_rule).collect()
    }

    /// How many rule definitions are served.
    pub(super) fn rule_count(&self) -> usize {
        self.rules.count()
    }
}

fn of_rule(rule: &EntryRule) -> Vec<PolicyWay> {
    let policies = rule.definitions.iter().map(|definition| definition.policy.clone());
    match &rule.plan {
        Plan::Indexed { index, .. } => policies
            .zip(index.ways())
            .map(|(policy, (way, why))| PolicyWay { policy, way, why })
            .collect(),
        Plan::Whole(why) => policies
            .map(|policy| PolicyWay { policy, way: Way::Always, why: (*why).to_owned() })
            .collect(),
    }
}
