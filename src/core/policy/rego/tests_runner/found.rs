//! The tests of a bundle: every definition of a rule named `test_…`, as OPA's runner counts them.

use regorus::unstable::{Expr, LiteralStmt, Rule, RuleHead};

use super::super::paths::RulePath;
use super::super::rules::{Definition, Kind, Rules, package_of};
use super::statements::names_in;
use super::text;

const PREFIX: &str = "test_";
const TODO_PREFIX: &str = "todo_test_";

/// One test.
pub(super) struct Test<'a> {
    pub(super) package: RulePath,
    /// Of the rule below its package; a second definition has `#01` behind it, as OPA names it.
    pub(super) name: String,
    pub(super) path: &'a RulePath,
    pub(super) definition: &'a Definition,
    pub(super) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// A `todo_test_…` rule.
    Skip,
    /// By the rule as a whole.
    Whole,
    /// By this definition alone: another one must not make it pass.
    Alone,
    /// `test_x[note] if …`: each key that the body gives is a case.
    Table,
}

/// All tests that are selected by name, in the order of packages and names, and every table: which
/// cases it has, and whether one of them is selected, its rule alone can say.
pub(super) fn tests<'a>(rules: &'a Rules, selects: &dyn Fn(&str) -> bool) -> Vec<Test<'a>> {
    let of_rule = |(path, definitions): (&'a RulePath, &'a [Definition])| {
        let first = definitions.first().filter(|first| !first.is_function());
        first.map(|first| of_rule(path, definitions, first)).unwrap_or_default()
    };
    let mut tests: Vec<_> = rules.iter().flat_map(of_rule).collect();
    tests.retain(|test| test.how == How::Table || selects(&test.full_name()));
    tests
}

fn of_rule<'a>(
    path: &'a RulePath,
    definitions: &'a [Definition],
    first: &'a Definition,
) -> Vec<Test<'a>> {
    let package = package_of(&first.module);
    let parts = path.0.get(package.0.len()..).unwrap_or_default();
    let has_part = |prefix: &str| parts.iter().any(|part| part.starts_with(prefix));
    let test = |definition: &'a Definition, index: usize, how| {
        let again = if index == 0 { String::new() } else { format!("#{index:02}") };
        let name = format!("{}{again}", parts.join("."));
        Test { package: package.clone(), name, path, definition, how }
    };
    if has_part(TODO_PREFIX) {
        return vec![test(first, 0, How::Skip)];
    }
    if !has_part(PREFIX) {
        return Vec::new();
    }
    if definitions.iter().any(|definition| definition.kind == Kind::Default) {
        return vec![test(first, 0, How::Whole)];
    }
    let how = |definition: &Definition| {
        if definition.kind == Kind::Object && !keys(&definition.rule).is_empty() {
            How::Table
        } else if definitions.len() > 1 {
            How::Alone
        } else {
            How::Whole
        }
    };
    let numbered = definitions.iter().enumerate();
    numbered.map(|(index, definition)| test(definition, index, how(definition))).collect()
}

impl Test<'_> {
    /// `data.authz_test.test_a`
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }

    /// The statements of each body, that of an `else` too.
    pub(super) fn bodies(&self) -> Vec<&[LiteralStmt]> {
        match &*self.definition.rule {
            Rule::Spec { bodies, .. } => {
                bodies.iter().map(|body| body.query.stmts.as_slice()).collect()
            }
            Rule::Default { .. } => Vec::new(),
        }
    }

    /// The text of each key of a table's head; none of another test.
    pub(super) fn key_texts(&self) -> Vec<String> {
        match self.how {
            How::Table => keys(&self.definition.rule).into_iter().map(|key| key.text()).collect(),
            How::Skip | How::Whole | How::Alone => Vec::new(),
        }
    }

    /// How many statements of the body it takes until every key has a value: up to the last of those
    /// that are the first to mention one of the keys' variables.
    pub(super) fn statements_to_keys(&self) -> usize {
        let bodies = self.bodies();
        let Some(body) = bodies.first() else { return 0 };
        let mentions = |statement: &LiteralStmt, name: &str| {
            let mut names = super::statements::NamesIn::default();
            super::statements::statement(statement, &mut names);
            names.0.contains(name)
        };
        let first = |name: &String| {
            let at = body.iter().position(|statement| mentions(statement, name));
            at.map_or(0, |index| index.saturating_add(1))
        };
        let keys = keys(&self.definition.rule);
        let names = keys.iter().flat_map(Key::names);
        names.map(|name| first(&name)).max().unwrap_or_default()
    }
}

/// One part of a head behind what is static.
enum Key<'a> {
    Name(&'a str),
    Computed(&'a Expr),
}

impl Key<'_> {
    fn text(&self) -> String {
        match self {
            Self::Name(name) => serde_json::Value::from(*name).to_string(),
            Self::Computed(expr) => text::expr(expr),
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Name(_) => Vec::new(),
            Self::Computed(expr) => names_in(expr).into_iter().collect(),
        }
    }
}

/// The parts of a head from the first computed one on.
fn keys(rule: &Rule) -> Vec<Key<'_>> {
    let Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } = rule else { return Vec::new() };
    let mut parts = Vec::new();
    let mut at: &Expr = refr;
    loop {
        if let Expr::RefDot { refr, field, .. } = at {
            parts.push(Key::Name(field.0.text()));
            at = refr;
        } else if let Expr::RefBrack { refr, index, .. } = at {
            parts.push(Key::Computed(index));
            at = refr;
        } else {
            break;
        }
    }
    parts.reverse();
    let is_static = |key: &Key<'_>| match key {
        Key::Name(_) => true,
        Key::Computed(expr) => matches!(expr, Expr::String { .. } | Expr::RawString { .. }),
    };
    let from = parts.iter().take_while(|key| is_static(key)).count();
    parts.drain(from..).collect()
}
