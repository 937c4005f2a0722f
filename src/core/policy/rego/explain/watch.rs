//! From the syntax tree of a bundle to what is watched, and the texts that do the watching.
//!
//! A statement `a == f(b)` becomes `saw(at(1), saw(at(2), a) == saw(at(3), f(saw(at(4), b))))`: the
//! interpreter itself says when it begins with an expression and what its value is. A call of an
//! extension has the value that it gives back, is undefined and raises as its argument does, and uses
//! the same names, so the order of statements, loops and errors stay what they are; what is not known
//! to keep them is not watched. Values that are literals stay, as the interpreter ends a loop early
//! for them.

use std::collections::BTreeMap;

use regorus::unstable::{
    AssignOp, Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleAssign, RuleBody, RuleHead,
};

use super::super::names::Names;
use super::super::paths::{RulePath, static_part};
use super::super::rules::{Definition, Kind as RuleKind, Rules};
use super::super::walk::{names_in_pattern, uses};
use super::edits::Edits;
use super::sites::{Body, Kind, Part, Shape, Sites, Statement, Watched};
use super::syntax::{Quotes, inside, is_literal};
use super::taint::{Scope, Taint};
use crate::policy::explanation::cut;

/// An expression inside an expression inside a statement: beyond it a value says little.
const MAX_OPERAND_DEPTH: usize = 4;

/// What is watched, and the texts of the modules.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) sites: Sites,
    pub(super) texts: BTreeMap<Ref<Module>, String>,
}

pub(super) fn watch(rules: &Rules, taint: &Taint) -> Watch {
    let mut sites = Sites::default();
    let mut modules: BTreeMap<&Ref<Module>, (Quotes, Edits)> = BTreeMap::new();
    for (_, definitions) in rules.iter() {
        for definition in definitions.iter().filter(|d| d.kind != RuleKind::Default) {
            let module = &definition.module;
            let (quotes, edits) = modules.entry(module).or_insert_with(|| {
                let quotes = Quotes::of(module.package.span.source.contents());
                (quotes, Edits::default())
            });
            let names = Names::of(module, rules);
            let scope = Scope::of(&names, taint, definition, rules);
            let watcher = Watcher { rules, names: &names, scope, quotes, edits, sites: &mut sites };
            watcher.definition(definition);
        }
    }
    let text = |(module, (_, edits)): (&Ref<Module>, (Quotes, Edits))| {
        let text = edits.apply(module.package.span.source.contents())?;
        Some((module.clone(), text))
    };
    Watch { texts: modules.into_iter().filter_map(text).collect(), sites }
}

struct Watcher<'a> {
    rules: &'a Rules,
    names: &'a Names<'a>,
    scope: Scope<'a>,
    quotes: &'a Quotes,
    edits: &'a mut Edits,
    sites: &'a mut Sites,
}

impl Watcher<'_> {
    fn definition(mut self, definition: &Definition) {
        let Rule::Spec { head, bodies, .. } = &*definition.rule else { return };
        let (span, value, arguments) = match head {
            RuleHead::Compr { span, assign, .. } => (span, self.assigned(assign.as_ref()), &[][..]),
            RuleHead::Func { span, args, assign, .. } => {
                (span, self.assigned(assign.as_ref()), args.as_slice())
            }
            RuleHead::Set { span, key, .. } => {
                let key = key.as_ref();
                (span, key.map(|key| (key, cut(self.quotes.text(key.span())))), &[][..])
            }
        };
        let number = self.sites.shapes.len();
        let named = |argument: &Ref<Expr>| match &**argument {
            Expr::Var { span, .. } if span.text() != "_" => Some(span.text().to_owned()),
            _ => None,
        };
        let arguments: Vec<Watched> = arguments
            .iter()
            .filter_map(|argument| {
                let is_masked = self.scope.carries(argument);
                named(argument).map(|text| Watched { text, is_masked })
            })
            .collect();
        self.sites.shapes.push(Shape {
            path: definition.path.clone(),
            file: definition.file.clone(),
            line: definition.line,
            text: cut(self.quotes.text(span)),
            is_function: definition.is_function(),
            bodies: Vec::new(),
            arguments,
            uses: self.uses(definition),
        });
        let count = bodies.len().max(1);
        let own = bodies.iter().map(Some).chain(bodies.is_empty().then_some(None));
        for (index, body) in own.take(count).enumerate() {
            let assigned = self.assigned(body.and_then(|body| body.assign.as_ref()));
            // The head's value is that of the first body and of all others without their own, and
            // is recorded where it is written.
            let value = if index == 0 { value.clone() } else { assigned };
            self.body(number, definition.line, body, value);
        }
    }

    /// What is assigned, and its text: the parser's span of an object begins with its last member.
    fn assigned<'e>(&self, assign: Option<&'e RuleAssign>) -> Option<(&'e Ref<Expr>, String)> {
        let assign = assign?;
        let text = self.quotes.text(&assign.span).trim_start_matches([':', '=']);
        Some((&assign.value, cut(text)))
    }

    fn body(
        &mut self,
        definition: usize,
        line: u32,
        body: Option<&RuleBody>,
        value: Option<(&Ref<Expr>, String)>,
    ) {
        let literal = match &value {
            None => Some("true".to_owned()),
            Some((value, text)) => is_literal(value).then(|| text.clone()),
        };
        let line = body.map_or(line, |body| body.span.line);
        let index = self.sites.bodies.len();
        let statements = Vec::new();
        let is_entered = false;
        let within = None;
        let new = Body { definition, within, statements, literal, line, is_entered };
        self.sites.bodies.push(new);
        if let Some(shape) = self.sites.shapes.get_mut(definition) {
            shape.bodies.push(index);
        }
        if let Some(body) = body {
            self.query(index, &body.query, true);
        }
        if let Some((value, _)) = value.filter(|(value, _)| !is_literal(value)) {
            let statement = self.statement(index, Kind::Value, value.span(), value.span().line);
            self.whole(index, statement, value);
        }
    }

    fn query(&mut self, body: usize, query: &Query, is_entered: bool) {
        let Some(first) = query.stmts.first() else { return };
        let Some((start, end)) = self.quotes.range(&first.span) else { return };
        if is_entered {
            let is_alone = query.span.start == first.span.start;
            let site = self.sites.add(body, 0, Part::Enter);
            self.edits.enter(site, start, is_alone.then_some(end));
            self.arguments(body, start);
            if let Some(body) = self.sites.bodies.get_mut(body) {
                body.is_entered = true;
            }
        }
        for statement in &query.stmts {
            self.literal(body, statement);
        }
    }

    fn arguments(&mut self, body: usize, start: usize) {
        let Some(definition) = self.sites.bodies.get(body).map(|body| body.definition) else {
            return;
        };
        let shape = self.sites.shapes.get(definition);
        let names: Vec<String> =
            shape.into_iter().flat_map(|s| &s.arguments).map(|a| a.text.clone()).collect();
        for (index, name) in names.iter().enumerate() {
            let site = self.sites.add(body, 0, Part::Argument(index));
            self.edits.before(site, start, name);
        }
    }

    fn statement(
        &mut self,
        body: usize,
        kind: Kind,
        span: &regorus::unstable::Span,
        line: u32,
    ) -> usize {
        let text = cut(self.quotes.text(span));
        let Some(body) = self.sites.bodies.get_mut(body) else { return 0 };
        body.statements.push(Statement {
            kind,
            text,
            line,
            whole: None,
            operands: Vec::new(),
            names: Vec::new(),
            inner: None,
            uses: Vec::new(),
        });
        body.statements.len() - 1
    }

    fn literal(&mut self, body: usize, literal: &LiteralStmt) {
        let end = self.quotes.range(&literal.span).map(|(_, end)| end);
        let (span, line) = (&literal.span, literal.span.line);
        match &literal.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                let index = self.statement(body, Kind::SomeIn, span, line);
                self.whole(body, index, collection);
                let patterns: Vec<&Expr> = key.iter().chain([value]).map(|p| &**p).collect();
                self.names_behind(body, index, &patterns, end);
            }
            Literal::Expr { expr, .. } => self.asked(body, literal, expr, end),
            Literal::NotExpr { expr, .. } => {
                let kind = if self.receives(expr) { Kind::Silent } else { Kind::Not };
                let index = self.statement(body, kind, span, line);
                if kind == Kind::Not {
                    self.whole(body, index, expr);
                }
            }
            Literal::Every { value, domain, query, .. } => {
                let index = self.statement(body, Kind::Every, span, line);
                self.whole(body, index, domain);
                self.every(body, index, value, query);
            }
        }
    }

    fn every(
        &mut self,
        body: usize,
        statement: usize,
        value: &regorus::unstable::Span,
        query: &Query,
    ) {
        let inner = self.sites.bodies.len();
        let Some(definition) = self.sites.bodies.get(body).map(|body| body.definition) else {
            return;
        };
        self.sites.bodies.push(Body {
            definition,
            within: Some((body, statement)),
            statements: Vec::new(),
            literal: Some("true".to_owned()),
            line: query.span.line,
            is_entered: false,
        });
        let name = value.text().to_owned();
        let is_masked = self.scope.knows(&name);
        if let Some(statement) = self.sites.statement_mut(body, statement) {
            statement.inner = Some(inner);
            statement.names.push(Watched { text: name.clone(), is_masked });
        }
        let first = query.stmts.first().and_then(|first| self.quotes.range(&first.span));
        if let Some((start, _)) = first {
            let site = self.sites.add(body, statement, Part::Name(0));
            self.edits.before(site, start, &name);
        }
        self.query(inner, query, false);
    }

    /// A statement that is an expression.
    fn asked(&mut self, body: usize, literal: &LiteralStmt, expr: &Ref<Expr>, end: Option<usize>) {
        let line = literal.span.line;
        let Expr::AssignExpr { lhs, rhs, op, .. } = &**expr else {
            let kind = if self.receives(expr) { Kind::Silent } else { Kind::Test };
            let index = self.statement(body, kind, &literal.span, line);
            if kind == Kind::Test {
                self.whole(body, index, expr);
            } else if let Expr::Call { params, .. } = &**expr
                && let Some(last) = params.last()
            {
                self.names_behind(body, index, &[last], end);
            }
            return;
        };
        if *op == AssignOp::Eq && is_value(lhs) && is_value(rhs) {
            let index = self.statement(body, Kind::Test, &literal.span, line);
            return self.compared(body, index, expr, lhs, rhs);
        }
        let index = self.statement(body, Kind::Assign, &literal.span, line);
        let is_name = matches!(&**lhs, Expr::Var { .. });
        if is_name && !matches!(&**rhs, Expr::Array { .. } | Expr::Object { .. }) {
            self.whole(body, index, rhs);
        } else if !is_name && !matches!(&**rhs, Expr::Array { .. } | Expr::Var { .. }) {
            self.whole(body, index, rhs);
        }
        if *op == AssignOp::Eq || !is_name || self.is_unseen(body, index) {
            self.names_behind(body, index, &[lhs, rhs], end);
        }
    }

    fn is_unseen(&self, body: usize, statement: usize) -> bool {
        self.sites.statement(body, statement).is_none_or(|statement| statement.whole.is_none())
    }

    /// `a = b` where neither side can get a value is `a == b`.
    fn compared(
        &mut self,
        body: usize,
        statement: usize,
        expr: &Ref<Expr>,
        lhs: &Ref<Expr>,
        rhs: &Ref<Expr>,
    ) {
        let text = expr.span().source.contents();
        let between = self.quotes.range(lhs.span()).zip(self.quotes.range(rhs.span()));
        let Some(((_, from), (to, _))) = between else { return };
        let Some(at) = text.get(from..to).and_then(|gap| gap.find('=')) else { return };
        self.edits.compare(from + at);
        self.whole(body, statement, expr);
    }

    /// Records the values of the names in patterns, behind the statement that gives them.
    fn names_behind(
        &mut self,
        body: usize,
        statement: usize,
        patterns: &[&Expr],
        end: Option<usize>,
    ) {
        let Some(end) = end else { return };
        let mut names = std::collections::BTreeSet::new();
        for pattern in patterns {
            names_in_pattern(pattern, &mut names);
        }
        names.retain(|name| !matches!(name.as_str(), "_" | "input" | "data"));
        for (index, name) in names.into_iter().enumerate() {
            let site = self.sites.add(body, statement, Part::Name(index));
            self.edits.after(site, end, &name);
            let is_masked = self.scope.knows(&name);
            if let Some(statement) = self.sites.statement_mut(body, statement) {
                statement.names.push(Watched { text: name, is_masked });
            }
        }
    }

    /// Records the whole of what a statement asks, and what is inside it.
    fn whole(&mut self, body: usize, statement: usize, expr: &Ref<Expr>) {
        let Some((start, end)) = self.range(expr) else { return };
        let whole = self.watched(expr, start, end);
        let mut used = Vec::new();
        self.references(expr, &mut used);
        let site = self.sites.add(body, statement, Part::Whole);
        let parens = needs_parens(expr);
        self.edits.open(site, start, parens);
        for part in self.operands(expr) {
            self.operand(body, statement, part, 1);
        }
        self.edits.close(end, parens);
        if let Some(statement) = self.sites.statement_mut(body, statement) {
            statement.whole = Some(whole);
            statement.uses.extend(used);
        }
    }

    fn operand(&mut self, body: usize, statement: usize, expr: &Ref<Expr>, depth: usize) {
        if is_literal(expr) || depth > MAX_OPERAND_DEPTH {
            return;
        }
        // Its members say more than the whole.
        if let Expr::Array { items, .. } | Expr::Set { items, .. } = &**expr {
            return items.iter().for_each(|item| self.operand(body, statement, item, depth + 1));
        }
        let is_document = matches!(&**expr, Expr::Var { span, .. }
            if matches!(span.text(), "_" | "input" | "data"));
        let Some((start, end)) = self.range(expr).filter(|_| !is_document) else { return };
        let watched = self.watched(expr, start, end);
        let Some(target) = self.sites.statement_mut(body, statement) else { return };
        let index = target.operands.len();
        target.operands.push(watched);
        let site = self.sites.add(body, statement, Part::Operand(index));
        let parens = needs_parens(expr);
        self.edits.open(site, start, parens);
        for part in self.operands(expr) {
            self.operand(body, statement, part, depth + 1);
        }
        self.edits.close(end, parens);
    }

    /// The expressions inside one that have values of their own.
    fn operands<'e>(&self, expr: &'e Ref<Expr>) -> Vec<&'e Ref<Expr>> {
        match &**expr {
            Expr::Call { params, .. } if !self.receives(expr) => params.iter().collect(),
            Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::BinExpr { .. }
            | Expr::AssignExpr { .. }
            | Expr::UnaryExpr { .. }
            | Expr::Membership { .. } => inside(expr),
            Expr::Call { .. }
            | Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Var { .. }
            | Expr::Array { .. }
            | Expr::Set { .. }
            | Expr::Object { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. } => Vec::new(),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => indices(expr),
        }
    }

    fn range(&self, expr: &Expr) -> Option<(usize, usize)> {
        // The parser's spans of these two are wrong; the second is `set()`.
        let is_wrong = match expr {
            Expr::Object { .. } => true,
            Expr::Set { items, .. } => items.is_empty(),
            _ => false,
        };
        if is_wrong { None } else { self.quotes.range(expr.span()) }
    }

    fn watched(&self, expr: &Expr, start: usize, end: usize) -> Watched {
        let text = expr.span().source.contents().get(start..end).unwrap_or_default();
        Watched { text: cut(text), is_masked: self.scope.carries(expr) }
    }

    /// Whether it is a call whose last argument receives the result, or `walk`, which the engine
    /// knows only where it stands by itself.
    fn receives(&self, expr: &Expr) -> bool {
        let Expr::Call { fcn, params, .. } = expr else {
            return inside(expr).into_iter().any(|part| self.receives(part));
        };
        let Some(name) = static_part(fcn) else { return true };
        name.root == "walk"
            || name.root == "print"
            || self.names.arity(&name) != Some(params.len())
            || params.iter().any(|param| self.receives(param))
    }

    fn references(&self, expr: &Ref<Expr>, used: &mut Vec<RulePath>) {
        let Some(name) = static_part(expr) else {
            inside(expr).into_iter().for_each(|part| self.references(part, used));
            return;
        };
        if let Some(path) = self.names.data_path(&name) {
            used.extend(self.rules.read_by(&path, &name.tail).cloned());
        }
        let mut expr = expr;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = &**expr {
            if let Expr::RefBrack { index, .. } = &**expr {
                self.references(index, used);
            }
            expr = refr;
        }
    }

    fn uses(&self, definition: &Definition) -> Vec<RulePath> {
        let uses = uses(&definition.rule);
        let mut all = Vec::new();
        for reference in &uses.references {
            if let Some(path) = self.names.data_path(&reference.name) {
                all.extend(self.rules.read_by(&path, &reference.name.tail).cloned());
            }
        }
        all.extend(uses.calls.iter().filter_map(|call| self.names.function(&call.name)));
        all.sort();
        all.dedup();
        all
    }
}

/// Whether an expression has a value and binds no name.
fn is_value(expr: &Expr) -> bool {
    if let Expr::RefBrack { refr, index, .. } = expr {
        return is_literal(index) && (is_value(refr) || matches!(&**refr, Expr::Var { .. }));
    }
    matches!(
        expr,
        Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::RefDot { .. }
            | Expr::Call { .. }
            | Expr::ArithExpr { .. }
    )
}

/// What stands in the brackets of a reference, but for names, which it may bind.
fn indices(expr: &Ref<Expr>) -> Vec<&Ref<Expr>> {
    let mut found = Vec::new();
    let mut expr = expr;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = &**expr {
        if let Expr::RefBrack { index, .. } = &**expr
            && matches!(&**index, Expr::RefDot { .. } | Expr::Call { .. })
        {
            found.push(index);
        }
        expr = refr;
    }
    found
}

/// `k, v in c` would be two arguments.
const fn needs_parens(expr: &Expr) -> bool {
    matches!(expr, Expr::Membership { .. })
}
