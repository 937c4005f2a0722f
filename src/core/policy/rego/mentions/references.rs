//! What a reference names: a place of the input, a rule, data under a key from the input.

use regorus::unstable::{Expr, Ref};

use super::super::super::differential::{Place, Step, Test, Use};
use super::super::paths::{RulePath, static_part};
use super::constants::literal;
use super::statements::{Reader, is_one_of};

impl Reader<'_> {
    /// A place of the input that is read, a rule that is used, or data under a key from the input.
    pub(super) fn reference(&mut self, expr: &Expr) {
        match self.place(expr) {
            Some(place) if place.argument.is_none() => {
                self.places.insert(place.steps);
            }
            Some(_) => {}
            None => self.use_of(expr),
        }
        let mut inner = expr;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = inner {
            if let Expr::RefBrack { refr, index, .. } = inner {
                let keys = is_one_of(self.constants.keys(refr));
                self.mention_all(index, &keys);
                self.expr(index);
            }
            inner = refr;
        }
        if !matches!(inner, Expr::Var { .. }) {
            self.expr(inner);
        }
    }

    fn use_of(&mut self, expr: &Expr) {
        let Some(name) = static_part(expr).filter(|name| !self.locals.contains_key(&name.root))
        else {
            return;
        };
        let Some(path) = self.names.data_path(&name) else { return };
        let lengths = (1..=path.0.len()).rev();
        let rule = lengths.filter_map(|length| Some(RulePath(path.0.get(..length)?.to_vec())));
        if let Some(group) = rule.into_iter().find_map(|path| self.groups.get(&path).copied()) {
            let is_negated = self.is_negated;
            self.recipe.uses.push(Use { group, arguments: Vec::new(), is_negated });
        }
    }

    /// Mentions every place inside an expression.
    pub(super) fn mention_all(&mut self, expr: &Expr, tests: &[Test]) {
        if let Some(place) = self.place(expr) {
            self.recipe.mention(&place, tests);
            return;
        }
        let is_reference = matches!(expr, Expr::RefDot { .. } | Expr::RefBrack { .. });
        if !is_reference && !tests.is_empty() {
            children(expr).into_iter().for_each(|child| self.mention_all(child, tests));
        }
    }

    /// The place that a reference names, as far as it is one of the input.
    pub(super) fn place(&self, expr: &Expr) -> Option<Place> {
        if let Expr::Var { span, .. } = expr {
            let name = span.text();
            if let Some(known) = self.locals.get(name) {
                return known.clone();
            }
            let path = self.names.input_path(name)?;
            return Some(Place::input(path.iter().cloned().map(Step::Key).collect()));
        } else if let Expr::RefDot { refr, field, .. } = expr {
            return Some(self.place(refr)?.then(Step::Key(field.0.text().to_owned())));
        } else if let Expr::RefBrack { refr, index, .. } = expr {
            let step = match literal(index) {
                Some(serde_json::Value::String(key)) => Step::Key(key),
                Some(serde_json::Value::Number(index)) => {
                    Step::Index(usize::try_from(index.as_u64()?).ok()?)
                }
                Some(_) | None => Step::Any,
            };
            return Some(self.place(refr)?.then(step));
        }
        None
    }

    /// Binds a name, or those of a list.
    pub(super) fn declare(&mut self, pattern: &Expr, place: Option<Place>) {
        if let Expr::Var { span, .. } = pattern {
            self.locals.insert(span.text().to_owned(), place);
        } else if let Expr::Array { items, .. } = pattern {
            for (index, item) in items.iter().enumerate() {
                self.declare(item, place.clone().map(|place| place.then(Step::Index(index))));
            }
        }
    }
}

/// The expressions directly inside one that is no reference, query or call.
pub(super) fn children(expr: &Expr) -> Vec<&Ref<Expr>> {
    match expr {
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().collect(),
        Expr::Object { fields, .. } => {
            fields.iter().flat_map(|(_, key, value)| [key, value]).collect()
        }
        Expr::UnaryExpr { expr, .. } => vec![expr],
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => vec![lhs, rhs],
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).collect()
        }
        Expr::Call { params, .. } => params.iter().collect(),
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. }
        | Expr::RefDot { .. }
        | Expr::RefBrack { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. } => Vec::new(),
    }
}
