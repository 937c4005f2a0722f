//! What a set of policies reads of a request: only that is built.

use std::collections::BTreeSet;

use super::scan::{is_space, tokens};

/// The parts of a request that policies ask for; rather too many than too few.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// Attributes of `context`.
    attributes: Names,
    /// Tags, of headers, of the query and of claims alike.
    tags: Names,
    entities: bool,
}

#[derive(Clone, Debug)]
enum Names {
    All,
    Listed(BTreeSet<String>),
}

impl Reads {
    pub(super) const ALL: Self = Self { attributes: Names::All, tags: Names::All, entities: true };

    /// Whether this attribute of the context is read.
    pub(super) fn attribute(&self, name: &str) -> bool {
        self.attributes.holds(name)
    }

    /// Whether this header, query key or claim is asked for.
    pub(super) fn tag(&self, name: &str) -> bool {
        self.tags.holds(name)
    }

    /// Whether any entity is named: where none is, none can be looked into.
    pub(super) fn entities(&self) -> bool {
        self.entities || ["headers", "query", "jwt"].iter().any(|name| self.attribute(name))
    }

    /// What an expression reads, by its words: Cedar has no other way to say `context`.
    pub(super) fn of(expression: &str) -> Self {
        let mut reads = Self::default();
        let tokens: Vec<&str> =
            tokens(expression).map(|(_, token)| token).filter(|token| !is_space(token)).collect();
        for (at, token) in tokens.iter().enumerate() {
            let rest = tokens.get(at + 1..).unwrap_or_default();
            match *token {
                "context" => reads.context(rest),
                "getTag" | "hasTag" => reads.tag_of(rest),
                "principal" | "action" | "resource" => reads.entities = true,
                // `Type::"id"`.
                ":" if rest.first() == Some(&":") => reads.entities = true,
                _ => {}
            }
        }
        reads
    }

    /// Adds the headers, query keys and claims that others ask for.
    pub(super) fn add_tags(&mut self, other: &Self) {
        match &other.tags {
            Names::All => self.tags = Names::All,
            Names::Listed(names) => names.iter().for_each(|name| self.tags.add(name)),
        }
    }

    fn context(&mut self, rest: &[&str]) {
        match rest {
            [".", name, ..] | ["has", name, ..] if !name.starts_with('"') => {
                self.attributes.add(name);
            }
            // The context as a whole: compared, or handed on by an `if`; or a name in quotes.
            _ => self.attributes = Names::All,
        }
    }

    fn tag_of(&mut self, rest: &[&str]) {
        let name = match rest {
            ["(", name, ")", ..] if !name.contains('\\') => {
                name.strip_prefix('"').and_then(|name| name.strip_suffix('"'))
            }
            _ => None,
        };
        match name {
            Some(name) => self.tags.add(name),
            None => self.tags = Names::All,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The attributes and tags of these names that a condition reads.
    #[track_caller]
    fn check(condition: &str, expected: &str) {
        condition.parse::<cedar_policy::Expression>().unwrap();
        let reads = Reads::of(condition);
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

    #[track_caller]
    fn check_entities(condition: &str, expected: bool) {
        condition.parse::<cedar_policy::Expression>().unwrap();
        assert_eq!(Reads::of(condition).entities(), expected, "{condition}");
    }

    #[test]
    fn entities_are_needed_where_one_is_named() {
        check_entities("context.path like \"*::*\" && context.tls.version == \"principal\"", false);
        check_entities("principal.path == \"/\"", true);
        check_entities("Group :: \"g\" in Group::\"h\"", true);
        check_entities("context.query.hasTag(\"q\")", true);
        check_entities("context has jwt && context.jwt.claims.hasTag(\"q\")", true);
        check_entities("context == context", true);
    }

    #[test]
    fn what_is_not_static_reads_everything() {
        check("context == context", "path tls headers");
        check("(if true then context else context).path == \"/\"", "path tls headers");
        check("context.headers.hasTag(context.path)", "path headers x-a x-b");
        check("context.headers.hasTag(\"x\\u{2d}a\")", "headers x-a x-b");
        check("context[\"path\"] == \"/\"", "path tls headers");
        check("context has \"path\"", "path tls headers");
    }

    #[test]
    fn record_keys_are_no_operators() {
        check("{\"a\": \"context\"} == {a: \"context.path\"}", "");
        check("{\"Value\": context.path} == {\"Value\": \"/\"}", "path");
        check("{\"Var\": \"context\"}.Var == \"a\"", "");
        check("{\".\": context} == {\".\": context}", "path tls headers");
    }
}
