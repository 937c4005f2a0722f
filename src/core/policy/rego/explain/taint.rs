//! Which expressions of a bundle may carry a value that a record masks.
//!
//! A reference to such a place of the input carries it, and whatever is made of it: locals, arguments
//! of functions and their results, rules, comprehensions. What it is compared with carries it too: a
//! list of keys in a policy's data is as secret as the key in a request. It is never less than what
//! happens, often more. What is true or false of such a value is shown.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleHead};

use super::super::names::Names;
use super::super::paths::{RulePath, Static, static_part};
use super::super::rules::{Definition, Rules};
use super::super::walk::names_in_pattern;
use super::syntax::{inside, query_of};
use crate::masking::ALLOWED_HEADERS;

/// Rounds until nothing new is found: a chain of rules needs one for each; beyond it all is masked.
const MAX_ROUNDS: usize = 64;

/// The places of the input that are masked, with all that is below.
const MASKED: [&[&str]; 10] = [
    &["request", "headers"],
    &["request", "query"],
    &["request", "body"],
    &["source", "jwt"],
    &["attributes", "request", "http", "headers"],
    &["attributes", "request", "http", "body"],
    &["attributes", "request", "http", "raw_body"],
    &["parsed_query"],
    &["parsed_body"],
    &["attributes", "metadata_context"],
];
/// With a query behind it.
const TARGET: &[&str] = &["attributes", "request", "http", "path"];
/// The heads of a request as Envoy's plugin has them among the headers.
const PSEUDO_HEADERS: [&str; 3] = [":authority", ":method", ":scheme"];

/// What is known of all definitions.
#[derive(Debug, Default)]
pub(super) struct Taint {
    has_query: bool,
    is_everything: bool,
    rules: BTreeSet<RulePath>,
    /// Data and rules that such a value is compared with.
    compared: BTreeSet<RulePath>,
    /// Functions that are called with such a value.
    called: BTreeSet<RulePath>,
}

impl Taint {
    pub(super) fn of(rules: &Rules, has_query: bool) -> Self {
        let mut taint = Self { has_query, ..Self::default() };
        for _ in 0..MAX_ROUNDS {
            let size = |t: &Self| (t.rules.len(), t.called.len(), t.compared.len());
            let before = size(&taint);
            for (path, definitions) in rules.iter() {
                for definition in definitions {
                    taint.learn(path, definition, rules);
                }
            }
            if before == size(&taint) {
                return taint;
            }
        }
        Self { is_everything: true, ..taint }
    }

    /// Whether the value of a rule may be what is masked.
    pub(super) fn masks(&self, path: &RulePath) -> bool {
        self.is_everything || self.rules.contains(path) || self.is_compared(path)
    }

    fn is_compared(&self, path: &RulePath) -> bool {
        self.compared.iter().any(|known| known.starts_with(path) || path.starts_with(known))
    }

    fn learn(&mut self, path: &RulePath, definition: &Definition, rules: &Rules) {
        let names = Names::of(&definition.module, rules);
        let mut scope = Scope::of(&names, self, definition, rules);
        let carries = heads(&definition.rule).into_iter().any(|expr| scope.carries(expr));
        let is_argument = scope.has_argument(&definition.rule);
        let (called, replaces) = (std::mem::take(&mut scope.called), scope.replaces);
        let compared = std::mem::take(&mut scope.compared);
        self.called.extend(called);
        self.called.extend(is_argument.then(|| path.clone()));
        self.compared.extend(compared);
        self.is_everything |= replaces;
        if carries {
            self.rules.insert(path.clone());
        }
    }

    fn is_masked(&self, path: &[String]) -> bool {
        let meets = |masked: &&[&str]| masked.iter().zip(path).all(|(a, b)| a == b);
        let target: &[&[&str]] = if self.has_query { &[TARGET] } else { &[] };
        MASKED.iter().chain(target).filter(|masked| meets(masked)).any(|masked| {
            let is_header = masked.last() == Some(&"headers");
            let name = path.get(masked.len()).filter(|_| is_header);
            !name.is_some_and(|name| self.is_shown_header(name))
        })
    }

    fn is_shown_header(&self, name: &str) -> bool {
        ALLOWED_HEADERS.iter().any(|shown| shown.as_str() == name)
            || PSEUDO_HEADERS.contains(&name)
            || (name == ":path" && !self.has_query)
    }
}

/// What a definition gives: its values and keys, not what its body asks.
fn heads(rule: &Rule) -> Vec<&Ref<Expr>> {
    let Rule::Spec { head, bodies, .. } = rule else { return Vec::new() };
    let own: Vec<_> = match head {
        RuleHead::Compr { refr, assign, .. } => {
            [refr].into_iter().chain(assign.as_ref().map(|assign| &assign.value)).collect()
        }
        RuleHead::Func { assign, .. } => assign.iter().map(|assign| &assign.value).collect(),
        RuleHead::Set { key, .. } => key.iter().collect(),
    };
    let others = bodies.iter().filter_map(|body| body.assign.as_ref());
    own.into_iter().chain(others.map(|assign| &assign.value)).collect()
}

/// The names of one definition.
pub(super) struct Scope<'a> {
    names: &'a Names<'a>,
    taint: &'a Taint,
    rules: &'a Rules,
    locals: BTreeSet<String>,
    /// Functions that get such a value here.
    called: BTreeSet<RulePath>,
    /// Data and rules that such a value is compared with here.
    compared: BTreeSet<RulePath>,
    /// A `with` puts such a value where another was.
    replaces: bool,
}

impl<'a> Scope<'a> {
    pub(super) fn of(
        names: &'a Names<'a>,
        taint: &'a Taint,
        definition: &Definition,
        rules: &'a Rules,
    ) -> Self {
        let (locals, called, compared) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut scope = Self { names, taint, rules, locals, called, compared, replaces: false };
        let Rule::Spec { head, bodies, .. } = &*definition.rule else { return scope };
        if let RuleHead::Func { args, .. } = head
            && taint.called.contains(&definition.path)
        {
            args.iter().for_each(|arg| names_in_pattern(arg, &mut scope.locals));
        }
        let heads = heads(&definition.rule);
        if taint.is_compared(&definition.path) {
            heads.iter().for_each(|expr| scope.compare(expr));
        }
        loop {
            let before = scope.locals.len();
            for body in bodies {
                scope.query(&body.query);
            }
            heads.iter().for_each(|expr| scope.visit(expr));
            if scope.locals.len() == before {
                return scope;
            }
        }
    }

    fn query(&mut self, query: &Query) {
        for statement in &query.stmts {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &LiteralStmt) {
        for modifier in &statement.with_mods {
            self.visit(&modifier.r#as);
            self.replaces |= self.carries(&modifier.r#as);
        }
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                self.visit(collection);
                if self.carries(collection) {
                    key.iter().chain([value]).for_each(|p| names_in_pattern(p, &mut self.locals));
                }
                if key.iter().chain([value]).any(|pattern| self.carries(pattern)) {
                    self.compare(collection);
                }
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
                self.visit(expr);
                self.binds(expr);
            }
            Literal::Every { key, value, domain, query, .. } => {
                self.visit(domain);
                if self.carries(domain) {
                    let names = key.iter().chain([value]).map(|span| span.text().to_owned());
                    self.locals.extend(names);
                }
                if key.iter().chain([value]).any(|span| self.locals.contains(span.text())) {
                    self.compare(domain);
                }
                self.query(query);
            }
        }
    }

    /// What an assignment, or a call's last argument, receives.
    fn binds(&mut self, expr: &Expr) {
        if let Expr::AssignExpr { lhs, rhs, .. } = expr {
            if self.carries(rhs) || self.carries(lhs) {
                self.compare(lhs);
                self.compare(rhs);
            }
        } else if let Expr::Call { params, .. } = expr
            && self.carries(expr)
            && let Some(last) = params.last()
        {
            names_in_pattern(last, &mut self.locals);
        }
    }

    /// Looks into an expression for calls, for indices that are bound by it and for comprehensions.
    fn visit(&mut self, expr: &Ref<Expr>) {
        if let Some(query) = query_of(expr) {
            self.query(query);
        }
        if let Expr::RefBrack { refr, index, .. } = &**expr
            && self.carries(refr)
        {
            names_in_pattern(index, &mut self.locals);
        }
        if let Expr::RefBrack { refr, index, .. } = &**expr
            && self.carries(index)
        {
            self.compare(refr);
        }
        if let Expr::Call { fcn, params, .. } = &**expr {
            let function = static_part(fcn).and_then(|name| self.names.function(&name));
            let is_called = function.as_ref().is_some_and(|f| self.taint.called.contains(f));
            if is_called || params.iter().any(|param| self.carries(param)) {
                params.iter().for_each(|param| self.compare(param));
                self.called.extend(function);
            }
        }
        if let Expr::BoolExpr { .. } | Expr::Membership { .. } = &**expr
            && inside(expr).into_iter().any(|part| self.carries(part))
        {
            inside(expr).into_iter().for_each(|part| self.compare(part));
        }
        for part in inside(expr) {
            self.visit(part);
        }
    }

    /// Takes the names, the data and the rules in an expression for as secret as what it is compared
    /// with. The input is what it is.
    fn compare(&mut self, expr: &Expr) {
        if let Some(name) = static_part(expr) {
            if self.names.input_path(&name.root).is_some() {
                return;
            }
            match self.names.data_path(&name) {
                Some(path) => self.compared.extend((!path.0.is_empty()).then_some(path)),
                None => self.locals.extend((name.root != "_").then_some(name.root)),
            }
            return;
        }
        if let Expr::Call { params, .. } = expr {
            return params.iter().for_each(|param| self.compare(param));
        }
        inside(expr).into_iter().for_each(|part| self.compare(part));
    }

    fn has_argument(&self, rule: &Rule) -> bool {
        let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule else { return false };
        args.iter().any(|argument| self.carries(argument))
    }

    /// Whether a value of an expression may be, or hold, what is masked.
    pub(super) fn carries(&self, expr: &Expr) -> bool {
        if self.taint.is_everything {
            return true;
        }
        if let Some(name) = static_part(expr) {
            return self.names_masked(&name) || self.any_index(expr);
        }
        let query = query_of(expr).is_some_and(|query| self.query_carries(query));
        let called = matches!(expr, Expr::Call { fcn, .. } if self.is_masked_function(fcn));
        query || called || self.parts(expr).any(|part| self.carries(part))
    }

    /// The callee's name is no value.
    fn parts<'e>(&self, expr: &'e Expr) -> impl Iterator<Item = &'e Ref<Expr>> {
        let skipped = usize::from(matches!(expr, Expr::Call { .. }));
        inside(expr).into_iter().skip(skipped)
    }

    /// Whether a local name may carry such a value.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.taint.is_everything || self.locals.contains(name)
    }

    fn is_masked_function(&self, callee: &Expr) -> bool {
        let function = static_part(callee).and_then(|name| self.names.function(&name));
        function.is_some_and(|function| self.taint.rules.contains(&function))
    }

    fn any_index(&self, expr: &Expr) -> bool {
        let mut expr = expr;
        loop {
            if let Expr::RefDot { refr, .. } = expr {
                expr = refr;
            } else if let Expr::RefBrack { refr, index, .. } = expr {
                if self.carries(index) {
                    return true;
                }
                expr = refr;
            } else {
                return false;
            }
        }
    }

    fn names_masked(&self, name: &Static) -> bool {
        if self.locals.contains(&name.root) {
            return true;
        }
        if let Some(path) = self.names.input_path(&name.root) {
            let path = [path, &name.rest].concat();
            return self.taint.is_masked(&path);
        }
        let Some(path) = self.names.data_path(name) else { return false };
        self.taint.is_compared(&path)
            || self.rules.read_by(&path, &name.tail).any(|rule| self.taint.rules.contains(rule))
    }

    /// A comprehension gives of its query what its term says; its locals are known by their names.
    fn query_carries(&self, query: &Query) -> bool {
        query.stmts.iter().any(|statement| match &statement.literal {
            Literal::SomeIn { collection, .. } => self.carries(collection),
            Literal::Expr { expr, .. } => {
                matches!(&**expr, Expr::AssignExpr { rhs, .. } if self.carries(rhs))
            }
            Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => false,
        })
    }
}
