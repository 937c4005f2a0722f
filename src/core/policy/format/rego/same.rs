//! What a module says, apart from how it is written: two texts with one meaning have one outline.
//!
//! The tree is the engine's own, so that the formatter's parser cannot vouch for itself. Recursion is
//! bounded: the scan before the parser limits nesting and chains.

use regorus::unstable::{
    Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleAssign, RuleBody, RuleHead,
};

/// Everything in order but the imports, which are sorted, and without those that say nothing.
pub(super) fn outline(module: &Module) -> String {
    let mut outline = Outline::default();
    outline.expression(&module.package.refr);
    let mut imports: Vec<String> = module
        .imports
        .iter()
        .map(|import| {
            let mut outline = Outline::default();
            outline.expression(&import.refr);
            outline.say(import.r#as.as_ref().map_or("", |alias| alias.text()));
            outline.0
        })
        .collect();
    imports.retain(|import| !import.starts_with("(. future") && !import.contains("(. rego v1)"));
    imports.sort();
    imports.iter().for_each(|import| outline.say(import));
    for rule in &module.policy {
        outline.rule(rule);
    }
    outline.0
}

#[derive(Default)]
struct Outline(String);

impl Outline {
    fn say(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push(' ');
    }

    fn group(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.0.push('(');
        self.say(name);
        write(self);
        self.0.push_str(") ");
    }

    fn rule(&mut self, rule: &Rule) {
        match rule {
            Rule::Default { refr, args, value, .. } => self.group("default", |outline| {
                outline.expression(refr);
                outline.expressions(args);
                outline.expression(value);
            }),
            Rule::Spec { head, bodies, .. } => self.group("rule", |outline| {
                outline.head(head);
                if !is_constant(bodies) {
                    bodies.iter().for_each(|body| outline.body(body));
                }
            }),
        }
    }

    fn head(&mut self, head: &RuleHead) {
        match head {
            RuleHead::Compr { refr, assign, .. } => self.group("value", |outline| {
                outline.expression(refr);
                outline.assigned(assign.as_ref());
            }),
            RuleHead::Set { refr, key, .. } => self.group("set", |outline| {
                outline.expression(refr);
                key.iter().for_each(|key| outline.expression(key));
            }),
            RuleHead::Func { refr, args, assign, .. } => self.group("function", |outline| {
                outline.expression(refr);
                outline.expressions(args);
                outline.assigned(assign.as_ref());
            }),
        }
    }

    /// A rule without a value has the value `true`.
    fn assigned(&mut self, assign: Option<&RuleAssign>) {
        match assign {
            Some(assign) => self.expression(&assign.value),
            None => self.say("true"),
        }
    }

    fn body(&mut self, body: &RuleBody) {
        self.group(if body.is_else { "else" } else { "if" }, |outline| {
            outline.assigned(body.assign.as_ref());
            outline.query(&body.query);
        });
    }

    fn query(&mut self, query: &Query) {
        query.stmts.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &LiteralStmt) {
        self.group(";", |outline| {
            outline.literal(&statement.literal);
            for with in &statement.with_mods {
                outline.say("with");
                outline.expression(&with.refr);
                outline.expression(&with.r#as);
            }
        });
    }

    fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::SomeVars { vars, .. } => {
                self.say("some");
                vars.iter().for_each(|name| self.say(name.text()));
            }
            Literal::SomeIn { key, value, collection, .. } => {
                self.say("some-in");
                self.membership(key.as_ref(), value, collection);
            }
            Literal::Expr { expr, .. } => self.expression(expr),
            Literal::NotExpr { expr, .. } => {
                self.say("not");
                self.expression(expr);
            }
            Literal::Every { key, value, domain, query, .. } => {
                self.say("every");
                self.say(key.as_ref().map_or("", |key| key.text()));
                self.say(value.text());
                self.expression(domain);
                self.query(query);
            }
        }
    }

    fn expressions(&mut self, expressions: &[Ref<Expr>]) {
        self.group(",", |outline| expressions.iter().for_each(|one| outline.expression(one)));
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::String { value, .. } | Expr::RawString { value, .. } => {
                self.say(&value.to_string());
            }
            Expr::Number { span, .. } => self.say(span.text()),
            Expr::Bool { value, .. } => self.say(&value.to_string()),
            Expr::Null { .. } => self.say("null"),
            Expr::Var { span, .. } => self.say(span.text()),
            Expr::Array { items, .. } => self.group("array", |o| o.expressions(items)),
            Expr::Set { items, .. } => self.group("set", |o| o.expressions(items)),
            Expr::Object { fields, .. } => self.group("object", |outline| {
                for (_, key, value) in fields {
                    outline.expression(key);
                    outline.expression(value);
                }
            }),
            Expr::ArrayCompr { term, query, .. } => self.comprehension("array|", &[term], query),
            Expr::SetCompr { term, query, .. } => self.comprehension("set|", &[term], query),
            Expr::ObjectCompr { key, value, query, .. } => {
                self.comprehension("object|", &[key, value], query);
            }
            Expr::Call { fcn, params, .. } => self.group("call", |outline| {
                outline.expression(fcn);
                outline.expressions(params);
            }),
            Expr::UnaryExpr { expr, .. } => self.group("minus", |o| o.expression(expr)),
            Expr::RefDot { refr, field: (_, name), .. } => self.group(".", |outline| {
                outline.expression(refr);
                outline.say(&name.to_string());
            }),
            Expr::RefBrack { refr, index, .. } => self.group(".", |outline| {
                outline.expression(refr);
                outline.expression(index);
            }),
            Expr::BinExpr { op, lhs, rhs, .. } => self.infix(&format!("{op:?}"), lhs, rhs),
            Expr::BoolExpr { op, lhs, rhs, .. } => self.infix(&format!("{op:?}"), lhs, rhs),
            Expr::ArithExpr { op, lhs, rhs, .. } => self.infix(&format!("{op:?}"), lhs, rhs),
            Expr::AssignExpr { op, lhs, rhs, .. } => self.infix(&format!("={op:?}"), lhs, rhs),
            Expr::Membership { key, value, collection, .. } => {
                self.group("in", |outline| outline.membership(key.as_ref(), value, collection));
            }
        }
    }

    fn comprehension(&mut self, name: &str, terms: &[&Ref<Expr>], query: &Query) {
        self.group(name, |outline| {
            terms.iter().for_each(|term| outline.expression(term));
            outline.query(query);
        });
    }

    fn membership(&mut self, key: Option<&Ref<Expr>>, value: &Expr, collection: &Expr) {
        match key {
            Some(key) => self.expression(key),
            None => self.say("_"),
        }
        self.expression(value);
        self.expression(collection);
    }

    fn infix(&mut self, operator: &str, left: &Expr, right: &Expr) {
        self.group(operator, |outline| {
            outline.expression(left);
            outline.expression(right);
        });
    }
}

/// `p := 1 if true` is `p := 1`.
fn is_constant(bodies: &[RuleBody]) -> bool {
    let [body] = bodies else { return bodies.is_empty() };
    let [statement] = body.query.stmts.as_slice() else { return body.query.stmts.is_empty() };
    matches!(&statement.literal, Literal::Expr { expr, .. } if expr.span().text() == "true")
        && statement.with_mods.is_empty()
}
