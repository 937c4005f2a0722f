//! What the terms of a statement need and give.

use std::collections::BTreeMap;

use regorus::unstable::{AssignOp, Expr, Ref, Span};

use super::super::super::paths::static_part;
use super::{Closure, Frame, Safety, Step, Use};

impl<'a> Safety<'a, '_> {
    /// A statement by itself: the place where `=` and `:=` give values.
    pub(super) fn expression(&mut self, expr: &'a Expr, frame: &mut Frame<'a>) {
        let Expr::AssignExpr { op, lhs, rhs, .. } = expr else {
            return self.value(expr, false, frame);
        };
        if *op == AssignOp::Eq {
            return self.unify(lhs, rhs, frame);
        }
        let first = frame.steps.len();
        self.value(rhs, false, frame);
        let mut step = Step { needs: needs_since(frame, first), gives: vec![] };
        self.pattern(lhs, &mut step.gives, frame);
        frame.steps.push(step);
    }

    /// Either side gives the variables of the other; arrays do item by item.
    fn unify(&mut self, lhs: &'a Expr, rhs: &'a Expr, frame: &mut Frame<'a>) {
        if let (Expr::Array { items: left, .. }, Expr::Array { items: right, .. }) = (lhs, rhs)
            && left.len() == right.len()
        {
            left.iter().zip(right).for_each(|(left, right)| self.unify(left, right, frame));
            return;
        }
        if let (Expr::Object { fields: left, .. }, Expr::Object { fields: right, .. }) = (lhs, rhs)
            && let Some(pairs) = same_keys(left, right)
        {
            pairs.into_iter().for_each(|(left, right)| self.unify(left, right, frame));
            return;
        }
        let (mut left, mut right) = (vec![], vec![]);
        self.pattern(lhs, &mut left, frame);
        self.pattern(rhs, &mut right, frame);
        frame.used.extend(left.iter().chain(&right).map(|used| used.name));
        let has_wildcard = |uses: &[Use<'_>]| uses.iter().any(|used| used.name == "_");
        let ways = [(left.clone(), right.clone()), (right, left)];
        for (needs, gives) in ways {
            if !has_wildcard(&needs) {
                frame.steps.push(Step { needs, gives });
            }
        }
    }

    /// The variables at the places of a pattern that take a value; what else it holds is a term.
    pub(super) fn pattern(
        &mut self,
        pattern: &'a Expr,
        uses: &mut Vec<Use<'a>>,
        frame: &mut Frame<'a>,
    ) {
        if let Expr::Var { span, .. } = pattern {
            let used = Use { name: span.text(), span };
            if self.is_own(used, frame) {
                uses.push(used);
            }
        } else if let Expr::Array { items, .. } = pattern {
            items.iter().for_each(|item| self.pattern(item, uses, frame));
        } else if let Expr::Object { fields, .. } = pattern {
            for (_, key, value) in fields {
                self.value(key, false, frame);
                self.pattern(value, uses, frame);
            }
        } else {
            self.value(pattern, false, frame);
        }
    }

    /// A term that is read. OPA makes calls inside a negated expression before it.
    pub(super) fn value(&mut self, expr: &'a Expr, is_negated: bool, frame: &mut Frame<'a>) {
        let is_call = matches!(
            expr,
            Expr::Call { .. }
                | Expr::BinExpr { .. }
                | Expr::BoolExpr { .. }
                | Expr::ArithExpr { .. }
                | Expr::Membership { .. }
        );
        self.term(expr, is_negated && !is_call, frame);
    }

    /// Under `not` the references of a term give nothing.
    pub(super) fn term(&mut self, expr: &'a Expr, is_negated: bool, frame: &mut Frame<'a>) {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { span, .. } => self.need(Use { name: span.text(), span }, frame),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => self.indices(expr, is_negated, frame),
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                items.iter().for_each(|item| self.value(item, is_negated, frame));
            }
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.value(key, is_negated, frame);
                    self.value(value, is_negated, frame);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                frame.closures.push(Closure { declared: vec![], query, terms: vec![term] });
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                frame.closures.push(Closure { declared: vec![], query, terms: vec![key, value] });
            }
            Expr::Call { fcn, params, .. } => self.call(fcn, params, is_negated, frame),
            Expr::UnaryExpr { expr, .. } => self.value(expr, is_negated, frame),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.value(lhs, is_negated, frame);
                self.value(rhs, is_negated, frame);
            }
            Expr::Membership { key, value, collection, .. } => {
                for expr in key.iter().chain([value, collection]) {
                    self.value(expr, is_negated, frame);
                }
            }
        }
    }

    /// An argument behind the last takes the result; that a function is unknown is reported elsewhere.
    fn call(
        &mut self,
        callee: &'a Expr,
        arguments: &'a [Ref<Expr>],
        is_negated: bool,
        frame: &mut Frame<'a>,
    ) {
        let arity = static_part(callee).and_then(|name| self.names.arity(&name));
        let taken = arity.unwrap_or_default();
        let first = frame.steps.len();
        for (index, argument) in arguments.iter().enumerate() {
            if index < taken {
                self.value(argument, is_negated, frame);
            } else {
                let mut step = Step { needs: needs_since(frame, first), gives: vec![] };
                self.pattern(argument, &mut step.gives, frame);
                frame.used.extend(step.gives.iter().map(|used| used.name));
                frame.steps.push(step);
            }
        }
    }

    /// A reference gives the variables in its brackets once what it starts at has a value.
    pub(super) fn indices(&mut self, expr: &'a Expr, is_negated: bool, frame: &mut Frame<'a>) {
        let mut step = Step::default();
        let mut at = expr;
        loop {
            if let Expr::RefDot { refr, .. } = at {
                at = refr;
            } else if let Expr::RefBrack { refr, index, .. } = at {
                if is_negated {
                    self.value(index, true, frame);
                } else {
                    self.pattern(index, &mut step.gives, frame);
                }
                at = refr;
            } else {
                break;
            }
        }
        if let Expr::Var { span, .. } = at {
            let used = Use { name: span.text(), span };
            if self.is_own(used, frame) {
                step.needs.push(used);
            }
        } else {
            self.value(at, is_negated, frame);
        }
        frame.used.extend(step.needs.iter().chain(&step.gives).map(|used| used.name));
        frame.steps.push(step);
    }

    pub(super) fn need(&self, used: Use<'a>, frame: &mut Frame<'a>) {
        if self.is_own(used, frame) {
            frame.used.insert(used.name);
            frame.steps.push(Step { needs: vec![used], gives: vec![] });
        }
    }
}

pub(super) fn needs_since<'a>(frame: &Frame<'a>, first: usize) -> Vec<Use<'a>> {
    let new = frame.steps.get(first..).unwrap_or_default();
    new.iter().flat_map(|step| step.needs.iter().copied()).collect()
}

type Fields = [(Span, Ref<Expr>, Ref<Expr>)];

/// The values of two objects by key, where both are written with the same keys.
fn same_keys<'a>(left: &'a Fields, right: &'a Fields) -> Option<Vec<(&'a Expr, &'a Expr)>> {
    if left.len() != right.len() {
        return None;
    }
    let key = |key: &Expr| {
        let is_constant = matches!(key, Expr::String { .. } | Expr::Number { .. });
        is_constant.then(|| key.span().text().to_owned())
    };
    let by_key: BTreeMap<_, &Expr> = right.iter().map(|(_, k, value)| (key(k), &**value)).collect();
    left.iter().map(|(_, k, value)| Some((&**value, *by_key.get(&Some(key(k)?))?))).collect()
}

/// The one name that a statement assigns with `:=`.
pub(super) fn assigned(expr: &Expr) -> Option<&Span> {
    if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr
        && let Expr::Var { span, .. } = &**lhs
    {
        Some(span)
    } else {
        None
    }
}
