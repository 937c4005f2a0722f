//! What the policies do in the tests: satisfied or not, and each condition true, false or failing.
//!
//! Requests and the entities around them enter, one by one; what every policy did leaves. Cedar says
//! of a policy only whether it was satisfied, so its conditions are evaluated here one by one, in
//! Cedar's order and with its short circuits, by Cedar's own evaluator. It decides nothing.

mod clauses;
mod scope;

use std::collections::BTreeMap;

use cedar_policy::{
    Entities, EvalResult, Expression, PolicyId, PolicySet, Request, eval_expression,
};

use super::parse::{ParsedFile, parse};
use super::place::line_and_column;
use super::scan::Statement;
use super::{Policies, source};
use crate::policy::coverage::{Clause, ClauseCoverage, OperandCoverage, Outcomes, PolicyCoverage};
use crate::policy::{Files, Findings};
use crate::request::AccessRequest;
use clauses::{Condition, Joint, Part, conditions};

/// A person finds the operand by its line; this is enough to tell it from its neighbours.
const MAX_TEXT_CHARACTERS: usize = 100;

/// The policies of one bundle while its tests run.
#[derive(Debug)]
pub(in crate::policy) struct CoverageRun<'a> {
    policies: &'a Policies,
    by_id: BTreeMap<PolicyId, Observed>,
}

/// A policy or template and what was seen of it; `conditions` go with the clauses of `coverage`.
#[derive(Debug)]
struct Observed {
    coverage: PolicyCoverage,
    conditions: Vec<Evaluated>,
}

/// A condition as Cedar evaluates it.
#[derive(Debug)]
struct Evaluated {
    joint: Joint,
    parts: Vec<Expression>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    True,
    False,
    Error,
}

impl Policies {
    /// Begins to watch what the policies do.
    pub(in crate::policy) fn coverage(&self, files: &Files) -> CoverageRun<'_> {
        // The files have been loaded before: there is nothing left to find.
        let mut findings = Findings::default();
        let (parsed, _) = parse(source::policies(files, &mut findings), &mut findings);
        let by_id = parsed.iter().flat_map(|file| {
            file.statements.iter().map(|(id, found)| (id.clone(), observed(file, id, *found)))
        });
        CoverageRun { policies: self, by_id: by_id.collect() }
    }
}

impl CoverageRun<'_> {
    /// Watches a decision on a request of ours.
    pub(in crate::policy) fn decide(&mut self, request: &AccessRequest) {
        let Ok((request, entities)) = self.policies.whole_request(request) else { return };
        see(&mut self.by_id, &self.policies.set, &request, &entities);
    }

    /// Watches an answer to a request in Cedar's own form.
    pub(in crate::policy) fn answer(&mut self, request: &Request, entities: &Entities) {
        see(&mut self.by_id, &self.policies.set, request, entities);
    }

    /// What was seen, in the order of files and lines.
    pub(in crate::policy) fn finish(self) -> Vec<PolicyCoverage> {
        let mut all: Vec<_> = self.by_id.into_values().map(|observed| observed.coverage).collect();
        all.sort_by(|a, b| (&a.file, a.line, &a.id).cmp(&(&b.file, b.line, &b.id)));
        all
    }
}

fn see(
    by_id: &mut BTreeMap<PolicyId, Observed>,
    policies: &PolicySet,
    request: &Request,
    entities: &Entities,
) {
    for policy in policies.policies() {
        let id = policy.template_id().unwrap_or_else(|| policy.id());
        if let Some(observed) = by_id.get_mut(id)
            && scope::matches(policy, request, entities)
        {
            observed.see(request, entities);
        }
    }
}

impl Observed {
    fn see(&mut self, request: &Request, entities: &Entities) {
        self.coverage.was_in_scope = true;
        for (condition, clause) in self.conditions.iter().zip(&mut self.coverage.clauses) {
            let outcome = condition.evaluate(&mut clause.operands, request, entities);
            outcome.mark(&mut clause.seen);
            let holds = match clause.clause {
                Clause::When => Outcome::True,
                Clause::Unless => Outcome::False,
            };
            if outcome != holds {
                return;
            }
        }
        self.coverage.was_satisfied = true;
    }
}

impl Evaluated {
    fn evaluate(
        &self,
        operands: &mut [OperandCoverage],
        request: &Request,
        entities: &Entities,
    ) -> Outcome {
        let mut operands = operands.iter_mut();
        let mut last = Outcome::Error;
        for part in &self.parts {
            last = match eval_expression(request, entities, part) {
                Ok(EvalResult::Bool(true)) => Outcome::True,
                Ok(EvalResult::Bool(false)) => Outcome::False,
                _ => Outcome::Error,
            };
            if let Some(operand) = operands.next() {
                last.mark(&mut operand.seen);
            }
            if last == Outcome::Error || last == self.joint.ends_at() {
                break;
            }
        }
        last
    }
}

impl Joint {
    /// What makes the rest of the operands needless.
    const fn ends_at(self) -> Outcome {
        match self {
            Self::And => Outcome::False,
            Self::Or => Outcome::True,
        }
    }
}

impl Outcome {
    const fn mark(self, seen: &mut Outcomes) {
        match self {
            Self::True => seen.r#true = true,
            Self::False => seen.r#false = true,
            Self::Error => seen.error = true,
        }
    }
}

fn observed(file: &ParsedFile<'_>, id: &PolicyId, statement: Statement) -> Observed {
    let text = file.source.text.get(statement.start..statement.end).unwrap_or_default();
    let line = |offset: usize| line_and_column(file.source.text, statement.start + offset).0;
    let (mut clauses, mut evaluated) = (Vec::new(), Vec::new());
    for Condition { clause, offset, joint, parts } in conditions(text) {
        let parse = |part: &Part<'_>| part.text.parse::<Expression>().ok();
        let Some(expressions) = parts.iter().map(parse).collect::<Option<Vec<_>>>() else {
            // Cedar has parsed the whole of it, so this is never reached; a condition that cannot be
            // looked into must not look covered.
            continue;
        };
        let operand = |part: &Part<'_>| OperandCoverage {
            text: shown(part.text),
            line: line(part.offset),
            seen: Outcomes::default(),
        };
        let operands = if parts.len() > 1 { parts.iter().map(operand).collect() } else { vec![] };
        clauses.push(ClauseCoverage {
            clause,
            line: line(offset),
            seen: Outcomes::default(),
            operands,
        });
        evaluated.push(Evaluated { joint, parts: expressions });
    }
    let coverage = PolicyCoverage {
        id: id.to_string(),
        file: file.source.file.to_owned(),
        line: line(0),
        was_in_scope: false,
        was_satisfied: false,
        clauses,
    };
    Observed { coverage, conditions: evaluated }
}

/// On one line, and not too long.
fn shown(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(MAX_TEXT_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
