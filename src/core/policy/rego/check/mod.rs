//! What regorus does not refuse by itself: recursion, which would end the process, builtins that do
//! not exist, leave the process or do not repeat, and builtins whose cost an argument sets.

mod calls;
mod graph;
mod kinds;
mod safety;

use std::collections::BTreeMap;

use regorus::unstable::Span;

use super::super::{Code, Finding, Findings, Severity};
use super::names::Names;
use super::rules::Rules;
use super::walk::uses;
use calls::check_call;
use graph::{Node, check_graph};
use kinds::check_kinds;
use safety::check_safety;

#[cfg(test)]
pub(super) use graph::MAX_STACK_DEPTH;

/// Reports what must not be evaluated.
pub(super) fn check(rules: &Rules, findings: &mut Findings) {
    let mut graph = BTreeMap::new();
    for (path, definitions) in rules.iter() {
        let mut node = Node::default();
        for definition in definitions {
            let names = Names::of(&definition.module, rules);
            check_safety(&definition.rule, &names, findings);
            let uses = uses(&definition.rule);
            node.depth = node.depth.max(uses.depth);
            for name in &uses.references {
                if let Some(path) = names.data_path(name) {
                    node.uses.extend(rules.read_by(&path, &name.tail).cloned());
                }
            }
            for call in &uses.calls {
                node.uses.extend(check_call(call, definition, &names, rules, findings));
            }
        }
        check_kinds(definitions, findings);
        node.uses.sort();
        node.uses.dedup();
        graph.insert(path.clone(), node);
    }
    check_graph(&graph, rules, findings);
}

/// An error at a place in a module.
fn report(findings: &mut Findings, at: &Span, code: Code, message: String, hint: Option<&str>) {
    let finding = Finding::new(Severity::Error, at.source.file(), at.line, at.col, message);
    findings.0.push(Finding { code: Some(code), hint: hint.map(str::to_owned), ..finding });
}
