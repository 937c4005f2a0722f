//! What regorus does not refuse by itself, or only when it is evaluated: recursion, which would end
//! the process, unknown and refused builtins, unsafe variables, rules that contradict each other.
//!
//! The index of all rules enters; an error leaves for what must not be evaluated, and a warning for
//! what is probably not meant.

mod calls;
mod graph;
mod growth;
mod hazards;
mod kinds;
mod modules;
mod roots;
mod safety;

use std::collections::BTreeMap;

use regorus::unstable::Span;

use super::super::{Code, Finding, Findings, Severity};
use super::names::Names;
use super::rules::Rules;
use super::walk::uses;
use calls::{check_call, check_reference, check_target};
use graph::{Node, check_graph};
use growth::check_growth;
use hazards::check_hazards;
use kinds::{check_default, check_kinds, check_overlap};
use modules::UsedNames;
pub(super) use safety::check_safety;

#[cfg(test)]
pub(super) use graph::MAX_STACK_DEPTH;
pub(super) use roots::check_roots;

/// Reports what must not be evaluated.
pub(super) fn check(rules: &Rules, findings: &mut Findings) {
    let mut graph = BTreeMap::new();
    let mut used_names = UsedNames::default();
    for (path, definitions) in rules.iter() {
        let mut node = Node::default();
        for definition in definitions {
            let names = Names::of(&definition.module, rules);
            check_safety(&definition.rule, &names, findings);
            check_default(definition, findings);
            let uses = uses(&definition.rule);
            check_hazards(definition, &uses, &names, findings);
            node.depth = node.depth.max(uses.depth);
            for reference in &uses.references {
                if let Some(path) = names.data_path(&reference.name) {
                    check_reference(reference, &path, rules, findings);
                    node.uses.extend(rules.read_by(&path, &reference.name.tail).cloned());
                }
            }
            for call in &uses.calls {
                node.uses.extend(check_call(call, definition, &names, rules, findings));
            }
            for target in &uses.targets {
                check_target(target, &names, findings);
            }
            used_names.add(&definition.file, &definition.module, uses.names());
        }
        check_kinds(definitions, findings);
        check_overlap(path, definitions, rules, findings);
        node.uses.sort();
        node.uses.dedup();
        graph.insert(path.clone(), node);
    }
    used_names.check(findings);
    let order = check_graph(&graph, rules, findings);
    if !findings.has_errors() {
        check_growth(&order, rules, findings);
    }
}

/// An error at a place in a module.
fn report(findings: &mut Findings, at: &Span, code: Code, message: String, hint: Option<&str>) {
    let finding = Finding::new(Severity::Error, at.source.file(), at.line, at.col, message);
    findings.0.push(Finding { code: Some(code), hint: hint.map(str::to_owned), ..finding });
}
