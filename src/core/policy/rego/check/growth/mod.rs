//! Values that repeat others: small in memory and quickly made, and endless to compare.
//!
//! An engine compares two values in one step that nothing can stop. So it is counted at load how many
//! values each expression may hold, from above: literals add up, a loop repeats what stood before it,
//! a rule is shared by who reads it. Input and data count as plain values; they are bounded elsewhere.

mod query;
mod size;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Query, Ref, Rule, RuleBody, RuleHead, Span};

use super::super::super::{Code, Findings};
use super::super::names::{Names, dotted};
use super::super::paths::{RulePath, static_part};
use super::super::rules::{Definition, Rules};
use super::super::types::gives_a_plain_value;
use super::super::walk::declared;
use super::report;
use size::Size;

/// Comparing so many takes tens of milliseconds.
const MAX_VALUES: u64 = 10_000_000;

const HINT: &str = "look the part that is needed up by its key instead of collecting the whole";

/// Looks at the rules in an order in which each follows those that it reads.
pub(super) fn check_growth(order: &[&RulePath], rules: &Rules, findings: &mut Findings) {
    let mut sizes = BTreeMap::new();
    for path in order {
        let mut largest = Size::default();
        for definition in rules.at(path) {
            let mut growth = Growth::of(definition, rules, &sizes);
            let size = growth.rule(&definition.rule);
            match growth.too_large {
                None => largest = largest.max(size),
                // Reported once: who reads it starts again at nothing.
                Some(span) => {
                    let message = format!(
                        "this may hold more than {MAX_VALUES} values: it repeats what repeats others"
                    );
                    report(findings, &span, Code::RegoCompileError, message, Some(HINT));
                }
            }
        }
        sizes.insert((*path).clone(), largest);
    }
}

/// One definition while it is looked at.
struct Growth<'a> {
    names: Names<'a>,
    rules: &'a Rules,
    sizes: &'a BTreeMap<RulePath, Size>,
    locals: BTreeMap<String, Size>,
    /// How many loops that collect stand around the current expression.
    depth: usize,
    too_large: Option<Span>,
}

impl<'a> Growth<'a> {
    fn of(definition: &Definition, rules: &'a Rules, sizes: &'a BTreeMap<RulePath, Size>) -> Self {
        let names = Names::of(&definition.module, rules);
        // What a function makes is made anew by each call.
        let depth = usize::from(definition.is_function());
        Self { names, rules, sizes, locals: BTreeMap::new(), depth, too_large: None }
    }

    fn rule(&mut self, rule: &Rule) -> Size {
        let size = self.rule_size(rule);
        self.judge(size, rule.span());
        size
    }

    fn rule_size(&mut self, rule: &Rule) -> Size {
        let (head, bodies) = match rule {
            Rule::Default { value, .. } => return self.expr(value),
            Rule::Spec { head, bodies, .. } => (head, bodies),
        };
        match head {
            RuleHead::Func { args, assign, .. } => {
                args.iter().for_each(|argument| self.bind(argument, Size::default()));
                self.values(assign.as_ref().map(|assign| &assign.value), bodies)
            }
            RuleHead::Compr { refr, assign, .. } => {
                let value = assign.as_ref().map(|assign| &assign.value);
                if matches!(&**refr, Expr::RefBrack { .. }) {
                    self.members(bodies, std::iter::once(refr).chain(value).collect())
                } else {
                    self.values(value, bodies)
                }
            }
            RuleHead::Set { key, .. } => self.members(bodies, key.iter().collect()),
        }
    }

    /// What a rule collects, by the largest of its bodies.
    fn members(&mut self, bodies: &[RuleBody], terms: Vec<&Ref<Expr>>) -> Size {
        let mut largest = Size::default();
        for body in bodies {
            let size = self.collected(Some(&body.query), terms.iter().copied());
            largest = largest.max(size);
        }
        if bodies.is_empty() { self.collected(None, terms.into_iter()) } else { largest }
    }

    /// The values of a complete rule or function, of which one is taken.
    fn values(&mut self, value: Option<&Ref<Expr>>, bodies: &[RuleBody]) -> Size {
        let before = self.locals.clone();
        let mut largest = Size::default();
        for (index, body) in bodies.iter().enumerate() {
            self.query(&body.query);
            let own = body.assign.as_ref().map(|assign| &assign.value);
            let value = if index == 0 { value.or(own) } else { own };
            largest = largest.max(value.map(|value| self.expr(value)).unwrap_or_default());
            self.locals.clone_from(&before);
        }
        if bodies.is_empty() {
            largest = value.map(|value| self.expr(value)).unwrap_or_default();
        }
        largest
    }

    /// A comprehension, or a rule that collects: with a loop in its query, or the one value without.
    fn collected<'e>(
        &mut self,
        query: Option<&Query>,
        terms: impl Iterator<Item = &'e Ref<Expr>>,
    ) -> Size {
        let outside = self.locals.clone();
        let loops = query.is_some_and(|query| self.has_loop(query));
        self.depth += usize::from(loops);
        if let Some(query) = query {
            let own = declared(query);
            self.locals.retain(|name, _| !own.contains(name));
            self.query(query);
        }
        let terms: Vec<Size> = terms.map(|term| self.expr(term)).collect();
        self.locals = outside;
        if !loops {
            return Size::of_items(&terms, self.depth);
        }
        self.depth -= 1;
        Size::collected(&terms, self.depth)
    }

    fn expr(&mut self, expr: &Expr) -> Size {
        let size = self.size(expr);
        self.judge(size, expr.span());
        size
    }

    fn judge(&mut self, size: Size, at: &Span) {
        if size.whole().total() > MAX_VALUES && self.too_large.is_none() {
            self.too_large = Some(at.clone());
        }
    }

    fn size(&mut self, expr: &Expr) -> Size {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => Size::default(),
            Expr::Var { .. } => self.reference(expr),
            Expr::RefDot { refr, .. } => self.reference_or_part(expr, refr),
            Expr::RefBrack { refr, index, .. } => {
                self.expr(index);
                self.reference_or_part(expr, refr)
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                let items: Vec<Size> = items.iter().map(|item| self.expr(item)).collect();
                Size::of_items(&items, self.depth)
            }
            Expr::Object { fields, .. } => {
                let parts = fields.iter().flat_map(|(_, key, value)| [key, value]);
                let parts: Vec<Size> = parts.map(|part| self.expr(part)).collect();
                Size::of_items(&parts, self.depth)
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.collected(Some(query), std::iter::once(term))
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.collected(Some(query), [key, value].into_iter())
            }
            Expr::Call { fcn, params, .. } => self.call(fcn, params),
            // Set operators give a set of both sides' members.
            Expr::BinExpr { lhs, rhs, .. } | Expr::ArithExpr { lhs, rhs, .. } => {
                let sides = [self.expr(lhs), self.expr(rhs)];
                Size::together(&sides)
            }
            Expr::UnaryExpr { expr, .. } => self.expr(expr),
            Expr::BoolExpr { lhs, rhs, .. } | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expr(lhs);
                self.expr(rhs);
                Size::default()
            }
            Expr::Membership { key, value, collection, .. } => {
                for part in key.iter().chain([value, collection]) {
                    self.expr(part);
                }
                Size::default()
            }
        }
    }

    /// A local, a rule, or input and data, which count as plain.
    fn reference(&self, expr: &Expr) -> Size {
        let Some(name) = static_part(expr) else { return Size::default() };
        if let Some(local) = self.locals.get(&name.root) {
            return *local;
        }
        let Some(path) = self.names.data_path(&name) else { return Size::default() };
        let length = path.0.len() + name.tail.len();
        let sizes = self.rules.read_by(&path, &name.tail).filter_map(|rule| {
            let size = self.sizes.get(rule)?.shared();
            // A longer reference looks into the rule's value.
            let deeper = length.saturating_sub(rule.0.len());
            Some((0..deeper).fold(size, |size, _| size.element()))
        });
        sizes.fold(Size::default(), Size::max)
    }

    fn reference_or_part(&mut self, whole: &Expr, of: &Expr) -> Size {
        let is_rule = static_part(whole)
            .filter(|name| !self.locals.contains_key(&name.root))
            .and_then(|name| self.names.data_path(&name))
            .is_some_and(|path| self.rules.has_below(&path));
        if is_rule { self.reference(whole) } else { self.expr(of).element() }
    }

    fn call(&mut self, callee: &Expr, arguments: &[Ref<Expr>]) -> Size {
        let arguments: Vec<Size> = arguments.iter().map(|argument| self.expr(argument)).collect();
        let Some(name) = static_part(callee) else { return Size::together(&arguments) };
        if let Some(function) = self.names.function(&name) {
            let own = self.sizes.get(&function).copied().unwrap_or_default();
            return own.called(Size::together(&arguments), self.depth);
        }
        let name = dotted(&name);
        if gives_a_plain_value(&name) {
            return Size::default();
        }
        if let ("object.get", [from, _, other]) = (name.as_str(), arguments.as_slice()) {
            return from.element().max(*other);
        }
        Size::together(&arguments)
    }

    /// The variables of a pattern take the parts that stand where they do.
    fn bind(&mut self, pattern: &Expr, size: Size) {
        if let Expr::Var { span, .. } = pattern {
            let local = self.locals.entry(span.text().to_owned()).or_default();
            *local = local.max(size);
        } else if let Expr::Array { items, .. } = pattern {
            items.iter().for_each(|item| self.bind(item, size.element()));
        } else if let Expr::Object { fields, .. } = pattern {
            fields.iter().for_each(|(_, _, value)| self.bind(value, size.element()));
        }
    }
}
