//! Recursion, which would end the process, and chains of rules that need too much of the stack.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::{Code, Findings};
use super::super::paths::RulePath;
use super::super::rules::Rules;
use super::report;

/// What evaluating one rule may need of the stack, all rules that it leads to included, counted in
/// nested rules, loops and expressions. An unoptimised build evaluates it in 2 MiB (see the test
/// `the_deepest_policies_fit_a_small_stack`); serving threads have more.
pub(in super::super) const MAX_STACK_DEPTH: usize = 240;

#[derive(Default)]
pub(super) struct Node {
    pub(super) depth: usize,
    pub(super) uses: Vec<RulePath>,
}

enum State {
    Open,
    /// With the depth of the deepest chain from here.
    Done(usize),
}

/// Depth first, without recursion of its own: a bundle may chain thousands of rules. Returns the rules
/// in an order in which each follows those that it uses.
pub(super) fn check_graph<'a>(
    graph: &'a BTreeMap<RulePath, Node>,
    rules: &Rules,
    findings: &mut Findings,
) -> Vec<&'a RulePath> {
    let mut order = Vec::with_capacity(graph.len());
    let mut states: BTreeMap<&RulePath, State> = BTreeMap::new();
    let mut reported = BTreeSet::new();
    for start in graph.keys() {
        let mut chain: Vec<(&RulePath, usize)> = vec![(start, 0)];
        while let Some((path, next)) = chain.last_mut() {
            let path = *path;
            let Some(node) = graph.get(path) else { break };
            if *next == 0 {
                if states.contains_key(path) {
                    chain.pop();
                    continue;
                }
                states.insert(path, State::Open);
            }
            let Some(used) = node.uses.get(*next) else {
                let depth = node.depth + deepest(&node.uses, &states);
                states.insert(path, State::Done(check_depth(path, depth, rules, findings)));
                order.push(path);
                chain.pop();
                continue;
            };
            *next += 1;
            match states.get(used) {
                Some(State::Done(_)) => {}
                Some(State::Open) if reported.insert(used) => {
                    report_cycle(used, &chain, rules, findings);
                }
                Some(State::Open) => {}
                None => chain.push((used, 0)),
            }
        }
    }
    order
}

fn deepest(uses: &[RulePath], states: &BTreeMap<&RulePath, State>) -> usize {
    let depth = |path| match states.get(path) {
        Some(State::Done(depth)) => *depth,
        Some(State::Open) | None => 0,
    };
    uses.iter().map(depth).max().unwrap_or_default()
}

/// Reported once: what leads to a rule that is too deep starts again at nothing.
fn check_depth(path: &RulePath, depth: usize, rules: &Rules, findings: &mut Findings) -> usize {
    if depth <= MAX_STACK_DEPTH {
        return depth;
    }
    if let Some(first) = rules.at(path).first() {
        let message = format!(
            "evaluating `{path}` nests deeper than {MAX_STACK_DEPTH} rules, loops and expressions"
        );
        findings.error(&first.file, first.line, first.column, message);
    }
    0
}

fn report_cycle(
    back_to: &RulePath,
    chain: &[(&RulePath, usize)],
    rules: &Rules,
    findings: &mut Findings,
) {
    let start = chain.iter().position(|(path, _)| *path == back_to).unwrap_or_default();
    let mut names: Vec<String> =
        chain.iter().skip(start).map(|(path, _)| path.to_string()).collect();
    names.push(back_to.to_string());
    if let Some(first) = rules.at(back_to).first() {
        let message = format!("rule `{back_to}` is recursive: {}", names.join(" -> "));
        report(findings, first.rule.span(), Code::RegoRecursionError, message, None);
    }
}
