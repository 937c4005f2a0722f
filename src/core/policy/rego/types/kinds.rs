//! Operations whose operands cannot be right: a list compared with a string, a builtin for strings
//! called with a list.

use regorus::unstable::{AssignOp, Expr, Ref};

use super::super::names::dotted;
use super::super::paths::static_part;
use super::super::walk::start_of;
use super::builtins::signature;
use super::schema::Type;
use super::{Kind, Types, item_of};

const LIST_HINT: &str = "it holds every value: index it with `[_]`, or use `some v in …`";

impl Types<'_, '_> {
    /// Reports what is wrong in an expression and in all that it is made of.
    pub(super) fn visit(&mut self, expr: &Expr) {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Var { .. } => {}
            Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.check_path(expr);
                self.visit_indices(expr);
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => self.visit_all(items),
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.visit(key);
                    self.visit(value);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.query(Some(query), &[term]);
            }
            Expr::ObjectCompr { key, value, query, .. } => self.query(Some(query), &[key, value]),
            Expr::Call { fcn, params, .. } => {
                self.visit_all(params);
                self.call(fcn, params);
            }
            Expr::UnaryExpr { expr, .. } => self.visit(expr),
            Expr::BinExpr { lhs, rhs, .. } => {
                self.visit(lhs);
                self.visit(rhs);
            }
            Expr::ArithExpr { lhs, rhs, .. } => {
                self.visit(lhs);
                self.visit(rhs);
                self.compute(lhs);
                self.compute(rhs);
            }
            Expr::BoolExpr { lhs, rhs, .. } => {
                self.visit(lhs);
                self.visit(rhs);
                self.compare(lhs, rhs);
            }
            Expr::AssignExpr { op, lhs, rhs, .. } => {
                self.visit(rhs);
                if *op == AssignOp::Eq {
                    self.visit(lhs);
                    self.compare(lhs, rhs);
                }
            }
            Expr::Membership { key, value, collection, .. } => {
                key.iter().for_each(|key| self.visit(key));
                self.visit(value);
                self.visit(collection);
                self.member(value, collection);
            }
        }
    }

    fn visit_all(&mut self, exprs: &[Ref<Expr>]) {
        exprs.iter().for_each(|expr| self.visit(expr));
    }

    fn visit_indices(&mut self, expr: &Expr) {
        let mut at = expr;
        loop {
            if let Expr::RefDot { refr, .. } = at {
                at = refr;
            } else if let Expr::RefBrack { refr, index, .. } = at {
                self.visit(index);
                at = refr;
            } else {
                return self.visit(at);
            }
        }
    }

    pub(super) fn type_of(&self, expr: &Expr) -> Option<&'static Type> {
        self.type_of_path(expr)
    }

    fn kind_of(&self, expr: &Expr) -> Option<Kind> {
        match expr {
            Expr::String { .. } | Expr::RawString { .. } => Some(Kind::String),
            Expr::Number { .. } | Expr::UnaryExpr { .. } => Some(Kind::Number),
            Expr::Bool { .. } => Some(Kind::Boolean),
            Expr::Null { .. } => Some(Kind::Null),
            Expr::Array { .. } | Expr::ArrayCompr { .. } => Some(Kind::Array),
            Expr::Set { .. } | Expr::SetCompr { .. } => Some(Kind::Set),
            Expr::Object { .. } | Expr::ObjectCompr { .. } => Some(Kind::Object),
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.type_of_path(expr).and_then(kind_of_type)
            }
            Expr::Call { fcn, .. } => {
                let name = static_part(fcn)?;
                if self.names.function(&name).is_some() {
                    return None;
                }
                signature(&dotted(&name))?.result
            }
            Expr::BoolExpr { .. } | Expr::Membership { .. } => Some(Kind::Boolean),
            // `-` and the like also take sets.
            Expr::ArithExpr { .. } | Expr::BinExpr { .. } | Expr::AssignExpr { .. } => None,
        }
    }

    fn compare(&mut self, lhs: &Expr, rhs: &Expr) {
        let (Some(left), Some(right)) = (self.kind_of(lhs), self.kind_of(rhs)) else { return };
        if left == right || left == Kind::Null || right == Kind::Null {
            return;
        }
        let message = format!("{} is compared with {}", self.told(lhs, left), right.article());
        let hint = self.list_hint(lhs, rhs);
        self.report(start_of(lhs), message, hint);
    }

    /// `-` also takes sets.
    fn compute(&mut self, operand: &Expr) {
        if let Some(
            kind @ (Kind::String | Kind::Boolean | Kind::Array | Kind::Object | Kind::Null),
        ) = self.kind_of(operand)
        {
            let message = format!("arithmetic takes numbers, and {}", self.is(operand, kind));
            self.report(start_of(operand), message, None);
        }
    }

    fn list_hint(&self, lhs: &Expr, rhs: &Expr) -> Option<String> {
        let is_list = |expr| matches!(self.type_of(expr), Some(Type::List(_)));
        (is_list(lhs) || is_list(rhs)).then(|| LIST_HINT.to_owned())
    }

    fn member(&mut self, value: &Expr, collection: &Expr) {
        let kind = self.kind_of(collection);
        if let Some(kind @ (Kind::String | Kind::Number | Kind::Boolean)) = kind {
            let message = format!("{} has no members", self.told(collection, kind));
            return self.report(start_of(collection), message, None);
        }
        let item = if let Expr::Array { items, .. } | Expr::Set { items, .. } = collection {
            let mut kinds = items.iter().map(|item| self.kind_of(item));
            let first = kinds.next().flatten();
            first.filter(|first| kinds.all(|kind| kind == Some(*first)))
        } else {
            self.type_of(collection).and_then(item_of).and_then(kind_of_type)
        };
        let (Some(item), Some(value_kind)) = (item, self.kind_of(value)) else { return };
        if item == value_kind || item == Kind::Null || value_kind == Kind::Null {
            return;
        }
        let message = format!(
            "{} is never in a collection of which each item is {}",
            self.told(value, value_kind),
            item.article()
        );
        let hint = match self.type_of(collection) {
            Some(Type::Map(_) | Type::Headers(_)) => {
                Some("`in` looks at the values: read a key as `object[key]`".to_owned())
            }
            _ => self.list_hint(value, collection),
        };
        self.report(start_of(value), message, hint);
    }

    fn call(&mut self, callee: &Expr, arguments: &[Ref<Expr>]) {
        let Some(name) = static_part(callee) else { return };
        if self.names.function(&name).is_some() {
            return;
        }
        let name = dotted(&name);
        let Some(signature) = signature(&name) else { return };
        for (argument, kinds) in arguments.iter().zip(signature.parameters) {
            let Some(kind) = self.kind_of(argument) else { continue };
            if kinds.is_empty() || kinds.contains(&kind) {
                continue;
            }
            let wanted: Vec<&str> = kinds.iter().map(|kind| kind.article()).collect();
            let wanted = wanted.join(" or ");
            let message = format!("`{name}` takes {wanted} here, and {}", self.is(argument, kind));
            let hint = self.list_hint(argument, argument);
            self.report(start_of(argument), message, hint);
        }
    }

    /// "`input.request.headers.host`, a list,".
    fn told(&self, expr: &Expr, kind: Kind) -> String {
        match self.type_of(expr) {
            Some(_) => format!("`{}`, {},", text_of(expr), kind.article()),
            None => kind.article().to_owned(),
        }
    }

    fn is(&self, expr: &Expr, kind: Kind) -> String {
        match self.type_of(expr) {
            Some(_) => format!("`{}` is {}", text_of(expr), kind.article()),
            None => format!("this is {}", kind.article()),
        }
    }
}

/// A reference as it is written.
fn text_of(expr: &Expr) -> String {
    if let Expr::RefDot { refr, field, .. } = expr {
        format!("{}.{}", text_of(refr), field.0.text())
    } else if let Expr::RefBrack { refr, index, .. } = expr {
        let index = if let Expr::String { span, .. } = &**index {
            format!("\"{}\"", span.text())
        } else {
            "_".to_owned()
        };
        format!("{}[{index}]", text_of(refr))
    } else {
        expr.span().text().to_owned()
    }
}

const fn kind_of_type(of: &'static Type) -> Option<Kind> {
    match of {
        Type::String => Some(Kind::String),
        Type::Number => Some(Kind::Number),
        Type::Boolean => Some(Kind::Boolean),
        Type::List(_) => Some(Kind::Array),
        Type::Map(_) | Type::Headers(_) | Type::Object(_) | Type::Open(_) => Some(Kind::Object),
        Type::Any => None,
    }
}

impl Kind {
    const fn article(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Array => "a list",
            Self::Object => "an object",
            Self::Set => "a set",
        }
    }
}
