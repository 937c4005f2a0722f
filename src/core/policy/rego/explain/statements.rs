//! How a statement is watched: what it asks, what it loops over, and the names that it gives values.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Query, Ref, Span};

use super::super::walk::names_in_pattern;
use super::sites::{Body, Kind, Part, Watched};
use super::syntax::is_literal;
use super::watch::Watcher;

impl Watcher<'_> {
    pub(super) fn literal(&mut self, body: usize, literal: &LiteralStmt) {
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

    fn every(&mut self, body: usize, statement: usize, value: &Span, query: &Query) {
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
        // Of two lists the engine assigns the members one by one.
        let is_whole = match is_name {
            true => !matches!(&**rhs, Expr::Array { .. } | Expr::Object { .. }),
            false => !matches!(&**rhs, Expr::Array { .. } | Expr::Var { .. }),
        };
        if is_whole {
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
        let mut names = BTreeSet::new();
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
