//! One pass over the syntax tree of a rule: what it refers to, what it calls, how deep it nests.
//!
//! Recursion is bounded: the scan before the parser limits nesting and chains.

use std::collections::BTreeSet;

use regorus::unstable::{
    AssignOp, Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleAssign, RuleBody, RuleHead, Span,
};

use super::paths::{Static, static_part};

/// A rule's own frames take more of the stack than an expression's.
const RULE_DEPTH: usize = 2;

/// What one rule definition depends on.
#[derive(Default)]
pub(super) struct Uses {
    /// References that are no local variables.
    pub(super) references: Vec<Reference>,
    /// What `with` replaces.
    pub(super) targets: Vec<Reference>,
    pub(super) calls: Vec<Call>,
    /// The deepest nesting: how much stack evaluating it takes. Every loop of a query counts, as the
    /// statements behind it are evaluated inside it.
    pub(super) depth: usize,
    /// What may loop, seen so far: `some … in`, an index that is no literal, `walk`.
    loops: usize,
    /// The next call is a statement.
    at_statement: bool,
    /// Names declared in the queries around the current expression, the innermost last.
    locals: Vec<BTreeSet<String>>,
}

pub(super) struct Reference {
    pub(super) name: Static,
    pub(super) span: Span,
    /// Behind `with … as`, where a function may stand by its name.
    pub(super) is_replacement: bool,
}

pub(super) struct Call {
    pub(super) name: Static,
    pub(super) arguments: Vec<Ref<Expr>>,
    pub(super) span: Span,
    /// Named as the replacement in a `with`, not called here.
    pub(super) is_replacement: bool,
    /// The whole of a statement: only there one more argument receives the result.
    pub(super) is_statement: bool,
}

pub(super) fn uses(rule: &Rule) -> Uses {
    let mut uses = Uses::default();
    match rule {
        Rule::Default { value, .. } => uses.depth = uses.expr(value),
        Rule::Spec { head, bodies, .. } => {
            let mut arguments = BTreeSet::new();
            if let RuleHead::Func { args, .. } = head {
                args.iter().for_each(|arg| names_in_pattern(arg, &mut arguments));
            }
            uses.locals.push(arguments);
            uses.depth = uses.rule(head, bodies);
        }
    }
    uses
}

impl Uses {
    /// The names at the start of references, calls and targets of `with`.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let references = self.references.iter().chain(&self.targets).map(|used| &used.name);
        references.chain(self.calls.iter().map(|call| &call.name)).map(|name| name.root.clone())
    }

    fn rule(&mut self, head: &RuleHead, bodies: &[RuleBody]) -> usize {
        let (refr, values): (_, Vec<Option<&Ref<Expr>>>) = match head {
            RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. } => {
                (refr, vec![assign.as_ref().map(value_of)])
            }
            RuleHead::Set { refr, key, .. } => (refr, vec![key.as_ref()]),
        };
        let mut depth = 0;
        let first = bodies.first();
        self.locals.push(first.map(|body| declared(&body.query)).unwrap_or_default());
        for value in values.into_iter().flatten() {
            depth = depth.max(self.expr(value));
        }
        depth = depth.max(self.indices(refr));
        self.locals.pop();
        for body in bodies {
            self.locals.push(declared(&body.query));
            depth = depth.max(self.statements(&body.query));
            if let Some(assign) = &body.assign {
                depth = depth.max(self.expr(&assign.value));
            }
            self.locals.pop();
        }
        depth + RULE_DEPTH
    }

    /// The names that the query declares are in scope already.
    fn statements(&mut self, query: &Query) -> usize {
        let mut depth = 0;
        let before = self.loops;
        for statement in &query.stmts {
            depth = depth.max(self.statement(statement));
        }
        let loops = self.loops - before;
        self.loops = before;
        depth + loops
    }

    fn query(&mut self, query: &Query, terms: &[&Ref<Expr>]) -> usize {
        self.locals.push(declared(query));
        let mut depth = self.statements(query);
        for term in terms {
            depth = depth.max(self.expr(term));
        }
        self.locals.pop();
        depth + 1
    }

    fn statement(&mut self, statement: &LiteralStmt) -> usize {
        let mut depth = match &statement.literal {
            Literal::SomeVars { .. } => 1,
            Literal::SomeIn { key, value, collection, .. } => {
                self.loops += 1;
                self.all(key.iter().chain([value, collection]))
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
                self.at_statement = matches!(&**expr, Expr::Call { .. });
                self.expr(expr)
            }
            Literal::Every { key, value, domain, query, .. } => {
                let domain = self.expr(domain);
                let names = key.iter().chain([value]).map(|span| span.text().to_owned());
                self.locals.push(names.collect());
                let body = self.query(query, &[]);
                self.locals.pop();
                domain.max(body)
            }
        };
        for modifier in &statement.with_mods {
            if let Some(name) = static_part(&modifier.refr) {
                let span = start_of(&modifier.refr).clone();
                self.targets.push(Reference { name, span, is_replacement: false });
            }
            let first = self.references.len();
            if let Some(name) = static_part(&modifier.r#as)
                && !self.is_local(&name.root)
            {
                let span = modifier.span.clone();
                self.calls.push(Call {
                    name,
                    arguments: vec![],
                    span,
                    is_replacement: true,
                    is_statement: false,
                });
            }
            depth = depth.max(self.expr(&modifier.r#as));
            let new = self.references.iter_mut().skip(first);
            new.for_each(|reference| reference.is_replacement = true);
        }
        depth
    }

    fn all<'a>(&mut self, exprs: impl IntoIterator<Item = &'a Ref<Expr>>) -> usize {
        exprs.into_iter().map(|expr| self.expr(expr)).max().unwrap_or_default()
    }

    fn expr(&mut self, expr: &Expr) -> usize {
        let depth = match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => 0,
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                if let Some(name) = static_part(expr)
                    && !self.is_local(&name.root)
                {
                    let span = start_of(expr).clone();
                    self.references.push(Reference { name, span, is_replacement: false });
                }
                self.indices(expr)
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => self.all(items),
            Expr::Object { fields, .. } => {
                self.all(fields.iter().flat_map(|(_, key, value)| [key, value]))
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.query(query, &[term])
            }
            Expr::ObjectCompr { key, value, query, .. } => self.query(query, &[key, value]),
            Expr::Call { fcn, params, .. } => self.call(fcn, params),
            Expr::UnaryExpr { expr, .. } => self.expr(expr),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => self.all([lhs, rhs]),
            Expr::Membership { key, value, collection, .. } => {
                self.all(key.iter().chain([value, collection]))
            }
        };
        depth + 1
    }

    fn call(&mut self, callee: &Expr, arguments: &[Ref<Expr>]) -> usize {
        let is_statement = std::mem::take(&mut self.at_statement);
        // No local variable can be called: the name is never shadowed.
        if let Some(name) = static_part(callee) {
            self.loops += usize::from(name.root == "walk");
            let arguments = arguments.to_vec();
            let span = start_of(callee).clone();
            self.calls.push(Call { name, arguments, span, is_replacement: false, is_statement });
        }
        self.indices(callee).max(self.all(arguments))
    }

    /// What stands inside the brackets of a reference, and where it starts if that is no name.
    fn indices(&mut self, expr: &Expr) -> usize {
        let mut depth = 0;
        let mut expr = expr;
        loop {
            if let Expr::RefDot { refr, .. } = expr {
                expr = refr;
            } else if let Expr::RefBrack { refr, index, .. } = expr {
                let is_literal = matches!(
                    &**index,
                    Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. }
                );
                self.loops += usize::from(!is_literal);
                depth = depth.max(self.expr(index));
                expr = refr;
            } else if let Expr::Var { .. } = expr {
                return depth;
            } else {
                return depth.max(self.expr(expr));
            }
        }
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|scope| scope.contains(name))
    }
}

/// The span of a reference is that of its last part; people look for its first.
pub(super) fn start_of(expr: &Expr) -> &Span {
    let mut expr = expr;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = expr {
        expr = refr;
    }
    expr.span()
}

fn value_of(assign: &RuleAssign) -> &Ref<Expr> {
    &assign.value
}

/// The names that a query declares itself: `some`, `some … in` and `:=`.
pub(super) fn declared(query: &Query) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for statement in &query.stmts {
        match &statement.literal {
            Literal::SomeVars { vars, .. } => {
                names.extend(vars.iter().map(|span| span.text().to_owned()));
            }
            Literal::SomeIn { key, value, .. } => {
                key.iter().chain([value]).for_each(|expr| names_in_pattern(expr, &mut names));
            }
            Literal::Expr { expr, .. } => {
                if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = &**expr {
                    names_in_pattern(lhs, &mut names);
                }
            }
            Literal::NotExpr { .. } | Literal::Every { .. } => {}
        }
    }
    names
}

pub(super) fn names_in_pattern(pattern: &Expr, names: &mut BTreeSet<String>) {
    if let Expr::Var { span, .. } = pattern {
        names.insert(span.text().to_owned());
    } else if let Expr::Array { items, .. } = pattern {
        items.iter().for_each(|item| names_in_pattern(item, names));
    } else if let Expr::Object { fields, .. } = pattern {
        fields.iter().for_each(|(_, _, value)| names_in_pattern(value, names));
    }
}
