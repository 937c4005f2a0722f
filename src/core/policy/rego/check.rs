//! What regorus does not refuse by itself: recursion, which would end the process, builtins that do
//! not exist, leave the process or do not repeat, and builtins whose cost an argument sets.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{BUILTINS, Expr, Rule};

use super::super::Findings;
use super::builtins;
use super::names::{Names, dotted};
use super::paths::RulePath;
use super::rules::{Definition, Kind, Rules};
use super::walk::{Call, uses};

/// What evaluating one rule may need of the stack, all rules that it leads to included, counted in
/// nested rules, loops and expressions. An unoptimised build evaluates it in 2 MiB (see the test
/// `the_deepest_policies_fit_a_small_stack`); serving threads have more.
pub(super) const MAX_STACK_DEPTH: usize = 240;
/// The longest range that `numbers.range` may build.
const MAX_RANGE: i64 = 10_000;

/// Reports what must not be evaluated.
pub(super) fn check(rules: &Rules, findings: &mut Findings) {
    let mut graph = BTreeMap::new();
    for (path, definitions) in rules.iter() {
        let mut node = Node::default();
        for definition in definitions {
            let names = Names::of(&definition.module, rules);
            let uses = uses(&definition.rule);
            node.depth = node.depth.max(uses.depth);
            for name in &uses.references {
                if let Some(path) = names.data_path(name) {
                    node.uses.extend(rules.read_by(&path).cloned());
                }
            }
            for call in &uses.calls {
                match names.function(&call.name) {
                    Some(function) => {
                        check_arity(call, &function, rules, findings);
                        node.uses.push(function);
                    }
                    None => check_builtin(call, definition, findings),
                }
            }
        }
        check_kinds(definitions, findings);
        node.uses.sort();
        node.uses.dedup();
        graph.insert(path.clone(), node);
    }
    check_graph(&graph, rules, findings);
}

/// OPA refuses these too; regorus takes whichever it meets first.
fn check_kinds(definitions: &[Definition], findings: &mut Findings) {
    let mut defaults = definitions.iter().filter(|d| matches!(*d.rule, Rule::Default { .. }));
    if let Some(first) = defaults.next() {
        for other in defaults {
            let Definition { path, file, line, .. } = first;
            let message = format!("rule `{path}` has its default at {file}:{line} already");
            findings.error(&other.file, other.line, other.column, message);
        }
    }
    let mut kinds = definitions.iter().filter(|d| d.kind != Kind::Default);
    let Some(first) = kinds.next() else { return };
    for other in kinds.filter(|other| other.kind != first.kind) {
        let message = format!(
            "rule `{}` is of another kind than its definition at {}:{}",
            other.path, first.file, first.line
        );
        findings.error(&other.file, other.line, other.column, message);
    }
}

fn check_arity(call: &Call, function: &RulePath, rules: &Rules, findings: &mut Findings) {
    let Some(Kind::Function { arity }) = rules.at(function).first().map(|d| d.kind) else { return };
    if !call.is_replacement && !takes(arity, call.arguments.len()) {
        let given = call.arguments.len();
        at(call, findings, format!("`{function}` takes {arity} arguments, not {given}"));
    }
}

/// One more argument than a function takes receives its result.
const fn takes(arity: usize, given: usize) -> bool {
    given == arity || given == arity + 1
}

fn check_builtin(call: &Call, definition: &Definition, findings: &mut Findings) {
    let name = dotted(&call.name);
    if let Some(reason) = builtins::reason_refused(&name) {
        return at(call, findings, format!("the builtin `{name}` is not allowed: {reason}"));
    }
    if call.is_replacement {
        return;
    }
    let given = call.arguments.len();
    if name == "print" {
        return;
    }
    let Some(arity) = builtins::arity(&name).or_else(|| engines_arity(&name)) else {
        let package = super::rules::package_of(&definition.module);
        let message = format!("`{name}` is no builtin function and no function of `{package}`");
        return at(call, findings, message);
    };
    if !takes(arity, given) || (name == "time.now_ns" && given > 0) {
        at(call, findings, format!("`{name}` takes {arity} arguments, not {given}"));
    }
    if name.starts_with("numbers.range") {
        check_range(call, &name, findings);
    }
}

fn engines_arity(name: &str) -> Option<usize> {
    let (_, arity) = BUILTINS.get(name).filter(|_| !name.starts_with("__"))?;
    Some(usize::from(*arity))
}

fn check_range(call: &Call, name: &str, findings: &mut Findings) {
    let bounds: Option<Vec<i64>> = call.arguments.iter().take(2).map(|a| number(a)).collect();
    let is_small = bounds.is_some_and(|bounds| bounds.iter().all(|b| b.abs() <= MAX_RANGE));
    if !is_small {
        let message =
            format!("the bounds of `{name}` must be written out, and not above {MAX_RANGE}");
        at(call, findings, message);
    }
}

fn number(expr: &Expr) -> Option<i64> {
    if let Expr::Number { value, .. } = expr {
        value.as_i64().ok()
    } else if let Expr::UnaryExpr { expr, .. } = expr {
        number(expr).map(i64::saturating_neg)
    } else {
        None
    }
}

fn at(call: &Call, findings: &mut Findings, message: String) {
    findings.error(call.span.source.file(), call.span.line, call.span.col, message);
}

#[derive(Default)]
struct Node {
    depth: usize,
    uses: Vec<RulePath>,
}

enum State {
    Open,
    /// With the depth of the deepest chain from here.
    Done(usize),
}

/// Depth first, without recursion of its own: a bundle may chain thousands of rules.
fn check_graph(graph: &BTreeMap<RulePath, Node>, rules: &Rules, findings: &mut Findings) {
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
        findings.error(&first.file, first.line, first.column, message);
    }
}
