//! Which of the parts that cost something a bundle reads, settled when it is loaded.
//!
//! A reference counts as far as it is static: one that stops at `input`, or that an alias hides from
//! us, reads everything. Too much costs time; too little would be a fact that policy misses.

use std::collections::BTreeMap;

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use super::super::paths::static_part;
use super::super::walk::uses;

/// A set of [`Part`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Reads(u16);

/// What is built or left out as one.
#[derive(Clone, Copy, Debug)]
#[repr(u16)]
pub(super) enum Part {
    /// The plugin's `attributes` but for the headers.
    Attributes = 1,
    Headers = 1 << 1,
    ParsedPath = 1 << 2,
    ParsedQuery = 1 << 3,
    /// `parsed_body` and `truncated_body`.
    Body = 1 << 4,
    /// `version` and `source_principal`, which belong to the connection.
    Connection = 1 << 5,
    /// The native part's, from here on: what is made anew for every request.
    RequestBody = 1 << 6,
    RequestHeaders = 1 << 7,
    RequestQuery = 1 << 8,
    RequestSegments = 1 << 9,
    Time = 1 << 10,
}

/// The parts of the plugin's view.
const OF_PLUGIN: u16 = (1 << 6) - 1;

const PLACES: [(&[&str], Part); 13] = [
    (&["attributes"], Part::Attributes),
    (&["attributes", "request", "http", "headers"], Part::Headers),
    (&["parsed_body"], Part::Body),
    (&["parsed_path"], Part::ParsedPath),
    (&["parsed_query"], Part::ParsedQuery),
    (&["request", "body"], Part::RequestBody),
    (&["request", "headers"], Part::RequestHeaders),
    (&["request", "query"], Part::RequestQuery),
    (&["request", "segments"], Part::RequestSegments),
    (&["source_principal"], Part::Connection),
    (&["time"], Part::Time),
    (&["truncated_body"], Part::Body),
    (&["version"], Part::Connection),
];

impl Reads {
    pub(in super::super) fn of(modules: &[Ref<Module>]) -> Self {
        let mut reads = Self::default();
        for module in modules {
            let aliases = aliases(module);
            for rule in &module.policy {
                for reference in uses(rule).references.into_iter().map(|used| used.name) {
                    if reference.root == "input" {
                        reads.add(&reference.rest);
                    } else if let Some(path) = aliases.get(&reference.root) {
                        reads.add(&[path.as_slice(), &reference.rest].concat());
                    }
                }
                if takes_more_than_patterns(rule) {
                    reads.add(&[]);
                }
            }
        }
        reads
    }

    pub(in super::super) const fn everything() -> Self {
        Self(u16::MAX)
    }

    #[cfg(test)]
    pub(in super::super) const fn all_native() -> Self {
        Self(!OF_PLUGIN)
    }

    /// Whether nothing of the plugin's view is read.
    pub(in super::super) const fn is_native(self) -> bool {
        self.0 & OF_PLUGIN == 0
    }

    pub(super) const fn has(self, part: Part) -> bool {
        self.0 & part as u16 != 0
    }

    /// A part of the native document, if it is read.
    pub(super) fn part(self, part: Part, build: impl FnOnce() -> Value) -> Value {
        if self.has(part) { build() } else { Value::Null }
    }

    /// A reference to a place reads what is below it and what it is inside of.
    fn add(&mut self, path: &[String]) {
        for (place, part) in PLACES {
            if place.iter().zip(path).all(|(one, other)| one == other) {
                self.0 |= part as u16;
            }
        }
    }
}

/// The names that a module gives to the input or to a part of it.
fn aliases(module: &Module) -> BTreeMap<String, Vec<String>> {
    let mut aliases = BTreeMap::new();
    for import in &module.imports {
        let Some(target) = static_part(&import.refr).filter(|target| target.root == "input") else {
            continue;
        };
        let alias = import.r#as.as_ref().map(|span| span.text().to_owned());
        let name = alias.or_else(|| target.rest.last().cloned());
        aliases.extend(name.map(|name| (name, target.rest)));
    }
    aliases
}

/// Whether a function's argument is more than names and literals: those are not walked.
fn takes_more_than_patterns(rule: &Rule) -> bool {
    let arguments = match rule {
        Rule::Spec { head: RuleHead::Func { args, .. }, .. } | Rule::Default { args, .. } => args,
        Rule::Spec { .. } => return false,
    };
    !arguments.iter().all(|argument| is_pattern(argument))
}

fn is_pattern(expr: &Expr) -> bool {
    if let Expr::Array { items, .. } = expr {
        return items.iter().all(|item| is_pattern(item));
    }
    if let Expr::Object { fields, .. } = expr {
        return fields.iter().all(|(_, key, value)| is_pattern(key) && is_pattern(value));
    }
    matches!(
        expr,
        Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Var { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(module: &str, expected: &str) {
        let mut engine = regorus::Engine::new();
        engine.add_policy("p.rego".to_owned(), format!("package p\n{module}")).unwrap();
        let reads = Reads::of(engine.get_modules());
        let parts = [
            (Part::Attributes, "attributes"),
            (Part::Headers, "headers"),
            (Part::ParsedPath, "path"),
            (Part::ParsedQuery, "query"),
            (Part::Body, "body"),
            (Part::Connection, "connection"),
            (Part::RequestBody, "r.body"),
            (Part::RequestHeaders, "r.headers"),
            (Part::RequestQuery, "r.query"),
            (Part::RequestSegments, "r.segments"),
            (Part::Time, "time"),
        ];
        let seen: Vec<&str> =
            parts.iter().filter(|(part, _)| reads.has(*part)).map(|(_, name)| *name).collect();
        assert_eq!(seen.join(" "), expected, "{module}");
        let is_plugins = expected
            .split(' ')
            .any(|part| !part.is_empty() && !part.starts_with("r.") && part != "time");
        assert_eq!(reads.is_native(), !is_plugins);
    }

    const ALL: &str = "attributes headers path query body connection r.body r.headers r.query \
                       r.segments time";

    #[test]
    fn a_policy_over_the_native_part_reads_nothing_more() {
        check("allow if input.request.method == \"GET\"", "");
        check(
            "import input.request as r\nallow if r.headers[_] == r.query[x]",
            "r.headers r.query",
        );
        check("allow if input.request.body.risk > 5", "r.body");
        check("allow if { some s in input.request.segments; s == input.time }", "r.segments time");
        check("allow if f(input.request)\nf(x) if x.a", "r.body r.headers r.query r.segments");
        check("allow if input.source.spiffe_id in data.ids", "");
        check("f(attributes, [a, {\"k\": b}]) := attributes.version + a + b\nallow if f(1, 2)", "");
    }

    #[test]
    fn static_references_read_their_part() {
        check("allow if input.attributes.request.http.method == \"GET\"", "attributes");
        check("allow if input.attributes.request.http.headers.a", "attributes headers");
        check("allow if input.attributes.request.http", "attributes headers");
        check("allow if input[\"attributes\"][\"request\"].http[x]", "attributes headers");
        check("allow if input.parsed_path[0] == \"a\"", "path");
        check("allow if { some v in input.parsed_query.a; v }", "query");
        check("allow if not input.truncated_body", "body");
        check("allow if input.parsed_body.n", "body");
        check("allow if input.version.ext_authz == \"v3\"", "connection");
        check("allow if startswith(input.source_principal, \"a\")", "connection");
        check("default allow := false\nallow := x if x := [input.parsed_path]", "path");
        check("roles[input.parsed_path[0]] := 1", "path");
        check("allow if { every s in input.parsed_path { s } }", "path");
        check("allow if { x := {k: v | some k, v in input.parsed_query}; x }", "query");
        check("allow if data.x with input.a as input.parsed_path", "path");
    }

    #[test]
    fn an_alias_reads_what_it_names() {
        let import = "import input.attributes.request.http as http_request";
        check(&format!("{import}\nallow if http_request.method == \"GET\""), "attributes");
        check(&format!("{import}\nallow if http_request.headers.a"), "attributes headers");
        check(&format!("{import}\nallow if http_request[x]"), "attributes headers");
        check("import input.parsed_path\nallow if parsed_path == [\"a\"]", "path");
        check("import input as i\nallow if i.parsed_query.a", "query");
        check("import input as i\nallow if i[x]", ALL);
    }

    #[test]
    fn what_is_not_static_reads_everything() {
        check("allow if input[x]", ALL);
        check("allow if { walk(input, [p, v]); v == 1 }", ALL);
        check("allow if f(input)\nf(x) if x.a", ALL);
        check("allow if object.get(input, [\"a\"], 1)", ALL);
        check("allow if data.q.r with input as input", ALL);
        check("x := [v | some v in input]", ALL);
        check("all := input", ALL);
        check("default all := false\nall := {\"i\": input}", ALL);
    }
}
