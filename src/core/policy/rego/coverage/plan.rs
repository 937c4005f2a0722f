//! What is counted, and the texts with the marks in that tell whether it was reached.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Module, Ref};

use super::super::load::Loaded;
use super::super::module_files::is_test;
use super::super::paths::RulePath;
use super::super::rules::{Kind, Rules};
use super::imports::written_out;
use super::marking::{Marking, Unit, What, changed};
use super::marks::{ENTERED, Marks};
use super::text::Lines;
use crate::policy::coverage::LineCoverage;

/// Everything that is counted in a bundle.
#[derive(Debug)]
pub(super) struct Plan {
    /// Every module as it is to be parsed, tests included, in the order of the modules.
    pub(super) texts: Vec<(String, String)>,
    counted: Vec<Counted>,
}

/// A served module.
#[derive(Debug)]
struct Counted {
    file: String,
    lines: Lines,
    /// What stands around another comes first.
    units: Vec<Unit>,
}

impl Plan {
    pub(super) fn of(loaded: &mut Loaded) -> Self {
        let modules: Vec<Ref<Module>> = loaded.engine.get_modules().clone();
        let defaults = defaults(&loaded.rules);
        let mut plan = Self { texts: Vec::new(), counted: Vec::new() };
        let mut definitions = 0;
        let mut entries: BTreeMap<u32, (usize, String)> = BTreeMap::new();
        for (index, module) in modules.iter().enumerate() {
            let source = &module.package.span.source;
            let (file, text) = (source.file().clone(), source.contents());
            if is_test(&file) {
                plan.texts.push((file, changed(text, written_out(module))));
                continue;
            }
            let lines = Lines::of(text);
            let mut marking = Marking::new(module, &lines, &defaults, definitions);
            for rule in &module.policy {
                if let Some((number, reference)) = marking.rule(rule) {
                    let entry = format!("\n{reference} := true if {ENTERED}({number})\n");
                    entries.insert(number, (index, entry));
                }
            }
            definitions = marking.definitions();
            let (text, units) = marking.finish();
            plan.texts.push((file.clone(), text));
            plan.counted.push(Counted { file, lines, units });
        }
        // Behind the last definition of its rule, and so evaluated after all of them.
        for (index, entry) in entries.into_values() {
            plan.texts.get_mut(index).into_iter().for_each(|(_, text)| text.push_str(&entry));
        }
        plan
    }

    /// Each module that holds something to evaluate, by path.
    pub(super) fn coverage<'a>(
        &self,
        evaluated: impl Fn(&str) -> &'a BTreeSet<u32>,
        marks: &Marks,
    ) -> Vec<LineCoverage> {
        let mut files: Vec<_> =
            self.counted.iter().map(|m| m.coverage(evaluated(&m.file), marks)).collect();
        files.retain(|lines| lines.count().total > 0);
        files.sort_by(|a, b| a.file.cmp(&b.file));
        files
    }
}

/// The rules that have a default, each with a number from 1. Of a function the interpreter itself
/// says whether its default was needed.
fn defaults(rules: &Rules) -> BTreeMap<RulePath, u32> {
    let with_default =
        rules.iter().filter(|(_, definitions)| definitions.iter().any(|d| d.kind == Kind::Default));
    with_default.map(|(path, _)| path.clone()).zip(1..).collect()
}

impl Counted {
    fn coverage(&self, evaluated: &BTreeSet<u32>, marks: &Marks) -> LineCoverage {
        let is_reached = |unit: &Unit| match unit.what {
            What::Head(definition) => marks.held(definition),
            What::Default(rule) => marks.defaulted(rule),
            What::Evaluated => evaluated.range(unit.first..=unit.last).next().is_some(),
        };
        // By line: how much what begins there matters, whether it was reached.
        let mut judged: BTreeMap<u32, (Weight, bool)> = BTreeMap::new();
        for unit in &self.units {
            let is_reached = is_reached(unit);
            for line in (unit.first..=unit.last).filter(|line| self.lines.holds(*line)) {
                let weight = Weight::of(unit, line);
                let judgement = judged.entry(line).or_insert((weight, is_reached));
                match weight.cmp(&judgement.0) {
                    Ordering::Greater => *judgement = (weight, is_reached),
                    // A line inside of both belongs to the inner one, which comes later.
                    Ordering::Equal if weight == Weight::Inside => judgement.1 = is_reached,
                    Ordering::Equal => judgement.1 &= is_reached,
                    Ordering::Less => {}
                }
            }
        }
        let mut lines = LineCoverage { file: self.file.clone(), ..LineCoverage::default() };
        for (line, (_, is_reached)) in judged {
            let half = if is_reached { &mut lines.covered } else { &mut lines.not_covered };
            half.insert(line);
        }
        lines
    }
}

/// What a line is to something that is evaluated; the weightiest decides whether it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Behind its first line.
    Inside,
    /// Statements begin there: all of them are to be reached.
    Begins,
    /// Definitions begin there, each with its body behind it perhaps: all of them are to hold.
    Head,
}

impl Weight {
    fn of(unit: &Unit, line: u32) -> Self {
        match unit.what {
            _ if unit.first != line => Self::Inside,
            What::Head(_) | What::Default(_) => Self::Head,
            What::Evaluated => Self::Begins,
        }
    }
}
