//! What a set of policies reads of a request: only that is built.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The parts of a request that policies ask for; grows as policies are added.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// Attributes of `context`.
    attributes: Names,
    /// Tags, of headers and of the query alike.
    tags: Names,
}

#[derive(Clone, Debug)]
enum Names {
    All,
    Listed(BTreeSet<String>),
}

impl Reads {
    /// Whether some policy reads this attribute of the context.
    pub(super) fn attribute(&self, name: &str) -> bool {
        self.attributes.holds(name)
    }

    /// Whether some policy asks for this header or query key.
    pub(super) fn tag(&self, name: &str) -> bool {
        self.tags.holds(name)
    }

    /// Adds a policy or template by its JSON form, or everything where there is none. The scope reads
    /// nothing but the three ids.
    pub(super) fn add(&mut self, policy: Option<&Value>) {
        let Some(policy) = policy else {
            self.attributes = Names::All;
            self.tags = Names::All;
            return;
        };
        for condition in policy.get("conditions").and_then(Value::as_array).into_iter().flatten() {
            match condition.get("body") {
                Some(body) => self.expression(body),
                None => self.add(None),
            }
        }
    }

    fn expression(&mut self, expression: &Value) {
        match expression {
            Value::Object(object) => {
                for (operator, operand) in object {
                    self.operator(operator, operand);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.expression(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn operator(&mut self, operator: &str, operand: &Value) {
        let left = operand.get("left");
        match operator {
            "Value" | "Slot" => {}
            // Its keys are the author's words, not operators.
            "Record" => {
                let fields = operand.as_object().into_iter().flat_map(Map::values);
                fields.for_each(|field| self.expression(field));
            }
            // The context as a whole: compared, or handed on by an `if`.
            "Var" if operand == "context" => self.attributes = Names::All,
            "." | "has" if left.is_some_and(is_context) => self.attribute_of(operand.get("attr")),
            "getTag" | "hasTag" => {
                let name = operand.get("right").and_then(|right| right.get("Value"));
                match name.and_then(Value::as_str) {
                    Some(name) => self.tags.add(name),
                    None => self.tags = Names::All,
                }
                self.expression(operand);
            }
            _ => self.expression(operand),
        }
    }

    fn attribute_of(&mut self, attribute: Option<&Value>) {
        // `context has tls.sni` lists the names.
        let first = match attribute {
            Some(Value::Array(names)) => names.first(),
            other => other,
        };
        match first.and_then(Value::as_str) {
            Some(name) => self.attributes.add(name),
            None => self.attributes = Names::All,
        }
    }
}

impl Names {
    fn holds(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(names) => names.contains(name),
        }
    }

    fn add(&mut self, name: &str) {
        if let Self::Listed(names) = self {
            names.insert(name.to_owned());
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::Listed(BTreeSet::new())
    }
}

fn is_context(expression: &Value) -> bool {
    expression.get("Var").is_some_and(|variable| variable == "context")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The attributes and tags of these names that a condition reads.
    #[track_caller]
    fn check(condition: &str, expected: &str) {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let policy = cedar_policy::Policy::parse(None, text).unwrap();
        let mut reads = Reads::default();
        reads.add(Some(&policy.to_json().unwrap()));
        let attributes = ["path", "tls", "headers"].map(|name| (name, reads.attribute(name)));
        let tags = ["x-a", "x-b"].map(|name| (name, reads.tag(name)));
        let read = attributes.iter().chain(&tags).filter(|(_, is_read)| *is_read);
        let seen = read.map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
        assert_eq!(seen, expected, "{condition}");
    }

    #[test]
    fn static_references_are_read_by_name() {
        check("true", "");
        check("context.path == \"/\"", "path");
        check("context.tls.version == \"x\" || context has path", "path tls");
        check("context has tls.sni && context.tls.sni like \"*\"", "tls");
        check("context.headers.hasTag(\"x-a\")", "headers x-a");
        check("context.headers.getTag(\"x-b\").contains(context.path)", "path headers x-b");
        check("if context.path == \"/\" then true else !(context has tls)", "path tls");
        check("[context.path].contains(\"/\") && {a: context.tls}.a == context.tls", "path tls");
    }

    #[test]
    fn what_is_not_static_reads_everything() {
        check("context == context", "path tls headers");
        check("(if true then context else context).path == \"/\"", "path tls headers");
        check("context.headers.hasTag(context.path)", "path headers x-a x-b");
    }

    #[test]
    fn record_keys_are_no_operators() {
        check("{\"Value\": context.path} == {\"Value\": \"/\"}", "path");
        check("{\"Var\": \"context\"}.Var == \"a\"", "");
        check("{\".\": context} == {\".\": context}", "path tls headers");
    }
}
