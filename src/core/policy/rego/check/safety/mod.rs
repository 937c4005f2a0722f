//! Unsafe variables, as OPA names them: what a rule reads must get a value from a part of its body
//! that is no negation, whatever the order of the statements.
//!
//! Statements become steps, each of which needs variables and gives others; what no order of the
//! steps can give is reported. The rule is at least as permissive as OPA's.

mod reports;
mod terms;

use std::collections::BTreeSet;

use regorus::unstable::{
    Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleAssign, RuleBody, RuleHead, Span,
};

use super::super::super::Findings;
use super::super::names::Names;
use super::super::paths::static_part;
use super::super::walk::{declared, names_in_pattern};

/// Reports the variables of one rule that nothing gives a value, and those that nothing reads.
pub(in super::super) fn check_safety(rule: &Rule, names: &Names<'_>, findings: &mut Findings) {
    let Rule::Spec { head, bodies, .. } = rule else { return };
    let mut safety = Safety { names, scopes: vec![], findings };
    let mut arguments = BTreeSet::new();
    let mut terms = Vec::new();
    match head {
        RuleHead::Compr { refr, assign, .. } => {
            brackets(refr, &mut terms);
            terms.extend(assign.as_ref().map(value_of));
        }
        RuleHead::Func { refr, args, assign, .. } => {
            brackets(refr, &mut terms);
            args.iter().for_each(|arg| names_in_pattern(arg, &mut arguments));
            terms.extend(assign.as_ref().map(value_of));
        }
        RuleHead::Set { refr, key, .. } => {
            brackets(refr, &mut terms);
            terms.extend(key);
        }
    }
    safety.scopes.push(Scope { declared: arguments, mentioned: BTreeSet::new() });
    if bodies.is_empty() {
        safety.closure(None, &terms);
    }
    for RuleBody { assign, query, is_else, .. } in bodies {
        let own: Vec<_> = assign.iter().map(value_of).collect();
        let terms = if *is_else { &own } else { &terms };
        safety.closure(Some(query), terms);
    }
}

/// What stands in the brackets of a rule's head.
fn brackets<'a>(refr: &'a Expr, terms: &mut Vec<&'a Ref<Expr>>) {
    let mut at = refr;
    loop {
        if let Expr::RefDot { refr, .. } = at {
            at = refr;
        } else if let Expr::RefBrack { refr, index, .. } = at {
            terms.push(index);
            at = refr;
        } else {
            return;
        }
    }
}

const fn value_of(assign: &RuleAssign) -> &Ref<Expr> {
    &assign.value
}

struct Safety<'a, 'f> {
    names: &'a Names<'a>,
    /// The queries around the current one; what they declare or mention is theirs.
    scopes: Vec<Scope<'a>>,
    findings: &'f mut Findings,
}

#[derive(Default)]
struct Scope<'a> {
    declared: BTreeSet<String>,
    mentioned: BTreeSet<&'a str>,
}

/// A variable where it stands.
#[derive(Clone, Copy)]
struct Use<'a> {
    name: &'a str,
    span: &'a Span,
}

/// Once all that it needs has a value, what it gives has one.
#[derive(Default)]
struct Step<'a> {
    needs: Vec<Use<'a>>,
    gives: Vec<Use<'a>>,
}

/// One query while its steps are collected.
#[derive(Default)]
struct Frame<'a> {
    steps: Vec<Step<'a>>,
    /// Comprehensions and bodies of `every`: read when all names of this query are known.
    closures: Vec<Closure<'a>>,
    declared: BTreeSet<String>,
    /// Variables of the queries around this one.
    free: Vec<Use<'a>>,
    used: BTreeSet<&'a str>,
}

struct Closure<'a> {
    /// The names that `every` declares.
    declared: Vec<&'a Span>,
    query: &'a Query,
    terms: Vec<&'a Ref<Expr>>,
}

impl<'a> Safety<'a, '_> {
    /// One query and the terms that are built from it; the variables around it that it reads.
    fn closure(&mut self, query: Option<&'a Query>, terms: &[&'a Ref<Expr>]) -> Vec<Use<'a>> {
        let mut frame =
            Frame { declared: query.map(declared).unwrap_or_default(), ..Frame::default() };
        for term in terms {
            self.value(term, false, &mut frame);
        }
        for statement in query.iter().flat_map(|query| &query.stmts) {
            self.statement(statement, &mut frame);
        }
        let closures = std::mem::take(&mut frame.closures);
        let mentioned = frame.steps.iter().flat_map(|step| step.needs.iter().chain(&step.gives));
        let scope = Scope {
            declared: frame.declared.clone(),
            mentioned: mentioned.map(|used| used.name).collect(),
        };
        self.scopes.push(scope);
        let needed: Vec<_> = closures.iter().map(|closure| self.nested(closure)).collect();
        self.scopes.pop();
        for uses in needed {
            uses.into_iter().for_each(|used| self.need(used, &mut frame));
        }
        self.solve(&frame);
        if let Some(query) = query {
            self.check_unused(query, &frame);
        }
        frame.free
    }

    fn nested(&mut self, closure: &Closure<'a>) -> Vec<Use<'a>> {
        let is_named = |span: &&&Span| span.text() != "_";
        let declared: Vec<&Span> = closure.declared.iter().filter(is_named).copied().collect();
        let names = declared.iter().map(|span| span.text().to_owned()).collect();
        self.scopes.push(Scope { declared: names, mentioned: BTreeSet::new() });
        let mut uses = self.closure(Some(closure.query), &closure.terms);
        self.scopes.pop();
        for span in declared {
            if !uses.iter().any(|used| used.name == span.text()) {
                self.unused(span);
            }
        }
        uses.retain(|used| !closure.declared.iter().any(|span| span.text() == used.name));
        uses
    }

    /// Whether a name is a variable of this query; one of a query around it is noted as free.
    fn is_own(&self, used: Use<'a>, frame: &mut Frame<'a>) -> bool {
        if frame.declared.contains(used.name) || used.name == "_" {
            return true;
        }
        let is_outer = |scope: &Scope<'_>| {
            scope.declared.contains(used.name) || scope.mentioned.contains(used.name)
        };
        if self.scopes.iter().any(is_outer) {
            frame.free.push(used);
            return false;
        }
        !self.names.is_global(used.name)
    }

    fn statement(&mut self, statement: &'a LiteralStmt, frame: &mut Frame<'a>) {
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                let first = frame.steps.len();
                self.value(collection, false, frame);
                let mut step = Step { needs: terms::needs_since(frame, first), gives: vec![] };
                for pattern in key.iter().chain([value]) {
                    self.pattern(pattern, &mut step.gives, frame);
                }
                frame.steps.push(step);
            }
            Literal::Expr { expr, .. } => self.expression(expr, frame),
            Literal::NotExpr { expr, .. } => self.term(expr, true, frame),
            Literal::Every { key, value, domain, query, .. } => {
                self.value(domain, false, frame);
                let declared = key.iter().chain([value]).collect();
                frame.closures.push(Closure { declared, query, terms: vec![] });
            }
        }
        for modifier in &statement.with_mods {
            let name = static_part(&modifier.r#as);
            if !name.is_some_and(|name| self.names.is_callable(&name)) {
                self.value(&modifier.r#as, false, frame);
            }
        }
    }

    /// Runs the steps until none adds anything: what is then still needed is unsafe.
    fn solve(&mut self, frame: &Frame<'a>) {
        let mut safe: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<&Step<'_>> = frame.steps.iter().collect();
        loop {
            let before = waiting.len();
            waiting.retain(|step| {
                let is_ready =
                    step.needs.iter().all(|used| used.name != "_" && safe.contains(used.name));
                if is_ready {
                    safe.extend(step.gives.iter().map(|used| used.name));
                }
                !is_ready
            });
            if waiting.len() == before {
                break;
            }
        }
        let mut reported = BTreeSet::new();
        for used in waiting.iter().flat_map(|step| &step.needs) {
            let is_unsafe = used.name == "_" || !safe.contains(used.name);
            if is_unsafe && reported.insert(used.name) {
                self.report(*used);
            }
        }
    }
}
