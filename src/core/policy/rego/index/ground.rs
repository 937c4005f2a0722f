//! Conditions without local variables: the engine evaluates them first, in the order of the text.
//!
//! One that is no plain test may raise an error. Two that are written alike raise it alike, whatever
//! else their rules say, so a canonical text tells them apart.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::{Expr, Literal, LiteralStmt, Ref, Rule, RuleHead};

use super::super::names::{Names, dotted};
use super::super::paths::{RulePath, Static, static_part};
use super::super::rules::{Kind, Rules};

/// What names mean inside one body.
pub(super) struct Scope<'a> {
    pub(super) names: &'a Names<'a>,
    pub(super) rules: &'a Rules,
    /// Names that the body declares: they are local wherever they stand in it.
    pub(super) locals: BTreeSet<String>,
    /// How many helpers lead here.
    pub(super) depth: usize,
}

impl Scope<'_> {
    /// The canonical text of a statement that has no local variable, loop or `with`; `None` for any
    /// other.
    pub(super) fn statement(&self, statement: &LiteralStmt) -> Option<String> {
        if !statement.with_mods.is_empty() {
            return None;
        }
        match &statement.literal {
            Literal::Expr { expr, .. } => self.text(expr),
            Literal::NotExpr { expr, .. } => Some(format!("not {}", self.text(expr)?)),
            Literal::SomeVars { .. } | Literal::SomeIn { .. } | Literal::Every { .. } => None,
        }
    }

    /// Whether a statement of which there is a canonical text can be no error: references to the
    /// input, to data that no rule makes, and comparisons of these.
    pub(super) fn is_harmless(&self, statement: &LiteralStmt) -> bool {
        match &statement.literal {
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.cannot_raise(expr),
            Literal::SomeVars { .. } | Literal::SomeIn { .. } | Literal::Every { .. } => false,
        }
    }

    /// The value of a literal, or of a rule that is one constant.
    pub(super) fn constant(&self, expr: &Expr) -> Option<Value> {
        constant(expr).or_else(|| {
            let [only] = self.rules.at(&self.rule(expr)?) else { return None };
            match &*only.rule {
                Rule::Spec {
                    head: RuleHead::Compr { assign: Some(assign), .. }, bodies, ..
                } if only.kind == Kind::Complete && bodies.is_empty() => constant(&assign.value),
                Rule::Spec { .. } | Rule::Default { .. } => None,
            }
        })
    }

    /// The rule whose whole value a reference means; none where other rules make parts of it.
    pub(super) fn rule(&self, expr: &Expr) -> Option<RulePath> {
        let name = static_part(expr).filter(|name| name.is_whole && !self.is_local(&name.root))?;
        // A part of what is imported is read when all of it is evaluated.
        if self.names.imported_data(&name.root).is_some() && !name.rest.is_empty() {
            return None;
        }
        let path = self.names.data_path(&name)?;
        let is_alone = {
            let mut made = self.rules.read_by(&path, &[]);
            made.next() == Some(&path) && made.next().is_none()
        };
        is_alone.then_some(path)
    }

    pub(super) fn is_local(&self, name: &str) -> bool {
        self.locals.contains(name)
    }

    fn text(&self, expr: &Expr) -> Option<String> {
        let text = if let Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. } = expr
        {
            constant(expr)?.to_string()
        } else if let Expr::Var { span, .. } = expr {
            self.name(span.text())?
        } else if let Expr::RefDot { refr, field, .. } = expr {
            format!("{}[{}]", self.text(refr)?, Value::from(field.0.text()))
        } else if let Expr::RefBrack { refr, index, .. } = expr {
            if let Expr::RawString { .. } = &**index {
                return None; // it means another thing than the string
            }
            format!("{}[{}]", self.text(refr)?, self.text(index)?)
        } else if let Expr::Array { items, .. } = expr {
            format!("[{}]", self.list(items)?)
        } else if let Expr::Set { items, .. } = expr {
            format!("set({})", self.list(items)?)
        } else if let Expr::Object { fields, .. } = expr {
            let fields = fields
                .iter()
                .map(|(_, key, value)| Some(format!("{}: {}", self.text(key)?, self.text(value)?)));
            format!("{{{}}}", fields.collect::<Option<Vec<_>>>()?.join(", "))
        } else if let Expr::Call { fcn, params, .. } = expr {
            format!("{}({})", self.callee(fcn)?, self.list(params)?)
        } else if let Expr::UnaryExpr { expr, .. } = expr {
            format!("-({})", self.text(expr)?)
        } else if let Expr::BinExpr { op, lhs, rhs, .. } = expr {
            format!("({} {op:?} {})", self.text(lhs)?, self.text(rhs)?)
        } else if let Expr::BoolExpr { op, lhs, rhs, .. } = expr {
            format!("({} {op:?} {})", self.text(lhs)?, self.text(rhs)?)
        } else if let Expr::ArithExpr { op, lhs, rhs, .. } = expr {
            format!("({} {op:?} {})", self.text(lhs)?, self.text(rhs)?)
        } else if let Expr::Membership { key: None, value, collection, .. } = expr {
            format!("({} in {})", self.text(value)?, self.text(collection)?)
        } else {
            return None;
        };
        Some(text)
    }

    /// What a name means: a part of the input, what is imported, `data`, a rule of the package; another
    /// name is a local variable. What is written alike is evaluated alike.
    fn name(&self, name: &str) -> Option<String> {
        if self.is_local(name) {
            return None;
        }
        let below = |root: &str, path: &[String]| {
            let parts = path.iter().map(|part| format!("[{}]", Value::from(part.as_str())));
            format!("{root}{}", parts.collect::<String>())
        };
        if let Some(path) = self.names.input_path(name) {
            return Some(below("input", path));
        }
        if let Some(path) = self.names.imported_data(name) {
            return Some(below("imported", &path.0));
        }
        if name == "data" {
            return Some("data".to_owned());
        }
        // By its whole name a rule is evaluated with the packages below it.
        self.names.data_path(&Static::name(name)).map(|path| below("rule", &path.0))
    }

    fn callee(&self, callee: &Expr) -> Option<String> {
        let name = static_part(callee).filter(|name| name.is_whole)?;
        if let Some(function) = self.names.function(&name) {
            return Some(function.to_string());
        }
        let builtin = dotted(&name);
        // It loops.
        (builtin != "walk" && self.names.is_callable(&name)).then_some(builtin)
    }

    fn list(&self, items: &[Ref<Expr>]) -> Option<String> {
        let items: Option<Vec<String>> = items.iter().map(|item| self.text(item)).collect();
        Some(items?.join(", "))
    }

    fn cannot_raise(&self, expr: &Expr) -> bool {
        if constant(expr).is_some() {
            return true;
        }
        if let Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } = expr {
            self.is_given(expr)
        } else if let Expr::BoolExpr { lhs, rhs, .. } = expr {
            self.cannot_raise(lhs) && self.cannot_raise(rhs)
        } else if let Expr::Membership { key: None, value, collection, .. } = expr {
            self.cannot_raise(value) && self.cannot_raise(collection)
        } else {
            false
        }
    }

    /// A reference into the input, or into data that no rule makes.
    fn is_given(&self, expr: &Expr) -> bool {
        let Some(name) = static_part(expr) else { return false };
        let mut expr = expr;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = expr {
            if let Expr::RefBrack { index, .. } = expr
                && !self.cannot_raise(index)
            {
                return false;
            }
            expr = refr;
        }
        if self.names.input_path(&name.root).is_some() {
            return true;
        }
        // Up to the first index that is computed, and of an import its target, all is evaluated.
        let evaluated =
            self.names.imported_data(&name.root).or_else(|| self.names.data_path(&name));
        evaluated.is_some_and(|path| self.rules.read_by(&path, &[]).next().is_none())
    }
}

/// The value of a literal, or of a collection of literals.
pub(in super::super) fn constant(expr: &Expr) -> Option<Value> {
    let all = |items: &[Ref<Expr>]| -> Option<Vec<Value>> {
        items.iter().map(|item| constant(item)).collect()
    };
    if let Expr::String { value, .. }
    | Expr::RawString { value, .. }
    | Expr::Number { value, .. }
    | Expr::Bool { value, .. }
    | Expr::Null { value, .. } = expr
    {
        Some(value.clone())
    } else if let Expr::Array { items, .. } = expr {
        all(items).map(Value::from)
    } else if let Expr::Set { items, .. } = expr {
        let mut set = Value::new_set();
        let members = set.as_set_mut().ok()?;
        members.extend(all(items)?);
        Some(set)
    } else if let Expr::Object { fields, .. } = expr {
        let mut object = Value::new_object();
        let map = object.as_object_mut().ok()?;
        for (_, key, value) in fields {
            map.insert(constant(key)?, constant(value)?);
        }
        // Which of two fields with one key counts is the engine's to say.
        let is_plain = map.len() == fields.len();
        is_plain.then_some(object)
    } else {
        None
    }
}
