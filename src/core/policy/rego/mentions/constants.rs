//! The constants that an expression holds or stands for: written out, a rule's, or the data's.

use regorus::Value;
use regorus::unstable::{Expr, Rule, RuleHead};
use serde_json::Value as Json;

use super::super::names::{Names, dotted};
use super::super::paths::static_part;
use super::super::rules::Rules;
use super::references::children;

/// Of data; the first will do.
const MAX_OF_DATA: usize = 32;
/// Deeper data is not looked into.
const MAX_DEPTH: usize = 4;

pub(super) struct Constants<'a> {
    pub(super) names: &'a Names<'a>,
    pub(super) rules: &'a Rules,
    pub(super) data: &'a Value,
}

impl Constants<'_> {
    /// What a comparison with this expression may be about; numbers with their neighbours.
    pub(super) fn beside(&self, expr: &Expr) -> Vec<Json> {
        let constants = self.of(expr);
        let numbers: Vec<f64> = constants.iter().filter_map(Json::as_f64).collect();
        let around = numbers.into_iter().flat_map(|number| [number - 1.0, number + 1.0]);
        let around: Vec<Json> = around.map(number).collect();
        [constants, around].concat()
    }

    /// The constants of a collection, one by one.
    pub(super) fn members(&self, expr: &Expr) -> Vec<Json> {
        match literal(expr) {
            Some(Json::Array(items)) => items,
            Some(Json::Object(fields)) => fields.into_iter().map(|(_, value)| value).collect(),
            Some(_) | None => self.of(expr),
        }
    }

    /// The keys of the data that a reference names.
    pub(super) fn keys(&self, expr: &Expr) -> Vec<Json> {
        match self.data_at(expr) {
            Some(Value::Object(fields)) => {
                let keys = fields.iter_sorted().take(MAX_OF_DATA).map(|(key, _)| key);
                keys.filter_map(|key| serde_json::to_value(key).ok()).collect()
            }
            Some(_) | None => Vec::new(),
        }
    }

    pub(super) fn of(&self, expr: &Expr) -> Vec<Json> {
        if let Some(constant) = literal(expr) {
            return vec![constant];
        }
        if let Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } = expr {
            let mut found = self.of_rule(expr);
            self.data_at(expr).into_iter().for_each(|data| scalars(data, 0, &mut found));
            // A member of data that a local name stands for: data under a key of the same name.
            if let (true, Expr::RefDot { field, .. }) = (found.is_empty(), expr) {
                under_key(self.data, field.0.text(), 0, &mut found);
            }
            return found;
        }
        children(expr).into_iter().flat_map(|child| self.of(child)).collect()
    }

    /// The constant values that the rule of this name may have.
    fn of_rule(&self, expr: &Expr) -> Vec<Json> {
        let Some(path) = static_part(expr).and_then(|name| self.names.data_path(&name)) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for definition in self.rules.at(&path) {
            match &*definition.rule {
                Rule::Default { value, .. } => found.extend(literal(value)),
                Rule::Spec { head: RuleHead::Compr { assign, .. }, bodies, .. } => {
                    let others = bodies.iter().filter_map(|body| body.assign.as_ref());
                    let values = assign.iter().chain(others);
                    found.extend(values.filter_map(|assign| literal(&assign.value)));
                }
                Rule::Spec { .. } => {}
            }
        }
        found
    }

    /// The data that a reference names as far as it is static.
    fn data_at(&self, expr: &Expr) -> Option<&Value> {
        let path = self.names.data_path(&static_part(expr)?)?;
        let found = path.0.iter().fold(self.data, |value, key| &value[key.as_str()]);
        (*found != Value::Undefined).then_some(found)
    }
}

fn scalars(value: &Value, depth: usize, found: &mut Vec<Json>) {
    if found.len() >= MAX_OF_DATA || depth > MAX_DEPTH {
        return;
    }
    if let Value::Object(fields) = value {
        fields.iter_sorted().for_each(|(_, value)| scalars(value, depth + 1, found));
    } else if let Ok(items) = value.as_array() {
        items.iter().for_each(|item| scalars(item, depth + 1, found));
    } else {
        found.extend(serde_json::to_value(value));
    }
}

fn under_key(value: &Value, name: &str, depth: usize, found: &mut Vec<Json>) {
    if found.len() >= MAX_OF_DATA || depth > MAX_DEPTH {
        return;
    }
    if let Value::Object(fields) = value {
        for (key, value) in fields.iter_sorted().take(MAX_OF_DATA) {
            if key.as_string().is_ok_and(|key| **key == *name) {
                scalars(value, depth, found);
            }
            under_key(value, name, depth + 1, found);
        }
    } else if let Ok(items) = value.as_array() {
        let items = items.iter().take(MAX_OF_DATA);
        items.for_each(|item| under_key(item, name, depth + 1, found));
    }
}

/// The value of an expression that is written out whole; a set as the list of its members.
pub(super) fn literal(expr: &Expr) -> Option<Json> {
    match expr {
        Expr::String { value, .. }
        | Expr::RawString { value, .. }
        | Expr::Number { value, .. }
        | Expr::Bool { value, .. }
        | Expr::Null { value, .. } => serde_json::to_value(value).ok(),
        Expr::UnaryExpr { expr, .. } => literal(expr)?.as_f64().map(|value| number(-value)),
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().map(|item| literal(item)).collect::<Option<Vec<_>>>().map(Json::Array)
        }
        Expr::Object { fields, .. } => {
            let fields = fields.iter().map(|(_, key, value)| field(key, value));
            fields.collect::<Option<serde_json::Map<_, _>>>().map(Json::Object)
        }
        Expr::Var { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. }
        | Expr::Call { .. }
        | Expr::RefDot { .. }
        | Expr::RefBrack { .. }
        | Expr::BinExpr { .. }
        | Expr::BoolExpr { .. }
        | Expr::ArithExpr { .. }
        | Expr::AssignExpr { .. }
        | Expr::Membership { .. } => None,
    }
}

fn field(key: &Expr, value: &Expr) -> Option<(String, Json)> {
    Some((literal(key)?.as_str()?.to_owned(), literal(value)?))
}

/// The argument of a `count`, whose value is not itself what is compared.
pub(super) fn sized(expr: &Expr) -> Option<&Expr> {
    let Expr::Call { fcn, params, .. } = expr else { return None };
    let name = static_part(fcn)?;
    params.first().filter(|_| dotted(&name) == "count").map(|argument| &**argument)
}

/// A whole number as one.
fn number(value: f64) -> Json {
    value.to_string().parse::<i64>().map_or_else(|_| Json::from(value), Json::from)
}
