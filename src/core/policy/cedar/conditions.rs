//! What stands behind the scopes: a policy's `when` and `unless` clauses as one expression, and what
//! that expression reads of a request.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cedar_policy::{Expression, PolicyId};

use super::Findings;
use super::facts::Attributes;
use super::parse::ParsedFile;
use super::place::{error_at, sentence};
use super::reads::Reads;
use super::scan::{is_space, tokens};

/// The clauses of one policy or template, ready to be evaluated.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) expression: Expression,
    pub(super) reads: Reads,
    /// The attributes of the context among what is read.
    pub(super) attributes: Attributes,
    /// A request that is neither at nor below this path cannot satisfy the condition, nor make it fail.
    pub(super) path: Option<String>,
}

/// By policy and template; `None` where the scope is all there is.
pub(super) type Conditions = BTreeMap<PolicyId, Option<Arc<Condition>>>;

/// One clause, without its braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clause<'a> {
    is_when: bool,
    text: &'a str,
}

/// The conditions of all policies and templates; those that are the same text are one.
pub(super) fn of(files: &[ParsedFile<'_>], findings: &mut Findings) -> Conditions {
    let mut distinct: HashMap<String, Arc<Condition>> = HashMap::new();
    let mut conditions = Conditions::new();
    for file in files {
        for (id, statement) in &file.statements {
            let (text, start) = (file.source.text, statement.start);
            let clauses = clauses(text.get(start..statement.end).unwrap_or_default());
            let policy = file.set.policy(id).map(cedar_policy::Policy::has_non_scope_constraint);
            let template = || file.set.template(id).map(|found| found.has_non_scope_constraint());
            if policy.or_else(template) == Some(clauses.is_empty()) {
                // The scan and the parser disagree: no clause could be trusted.
                let message = "the clauses of the policy cannot be told apart".to_owned();
                error_at(findings, file.source.file, text, start, message);
                continue;
            }
            let joined = joined(&clauses);
            let known = distinct.get(&joined).cloned();
            let condition = match known {
                Some(condition) => Some(condition),
                None if clauses.is_empty() => None,
                None => match Condition::new(&joined, &clauses) {
                    Ok(condition) => {
                        Some(Arc::clone(distinct.entry(joined).or_insert(Arc::new(condition))))
                    }
                    Err(message) => {
                        error_at(findings, file.source.file, text, start, message);
                        continue;
                    }
                },
            };
            conditions.insert(id.clone(), condition);
        }
    }
    conditions
}

impl Condition {
    fn new(joined: &str, clauses: &[Clause<'_>]) -> Result<Self, String> {
        let expression = joined.parse::<Expression>().map_err(|error| sentence(&error))?;
        let reads = Reads::of(joined);
        let attributes = Attributes::among(&reads);
        let path = clauses.first().and_then(|first| path_of(*first));
        Ok(Self { expression, reads, attributes, path })
    }
}

/// The clauses as Cedar joins them: in order, a later one evaluated only where all before it hold. The
/// leading `true` keeps the type error that a policy has whose only clause is no boolean.
fn joined(clauses: &[Clause<'_>]) -> String {
    let mut joined = String::from("true");
    for Clause { is_when, text } in clauses {
        // The line break ends a comment in the clause's last line.
        let not = if *is_when { "" } else { "!" };
        joined.push_str(&format!(" && {not}({text}\n)"));
    }
    joined
}

/// The clauses of a statement that Cedar parses.
fn clauses(statement: &str) -> Vec<Clause<'_>> {
    let mut clauses = Vec::new();
    let mut depth = 0_usize;
    let mut before = "";
    // The keyword of a clause, and where its text begins once its brace is open.
    let (mut keyword, mut open) = (None, None);
    for (offset, token) in tokens(statement).filter(|(_, token)| !is_space(token)) {
        match token {
            // `@when("…")` is an annotation.
            "when" | "unless" if depth == 0 && before != "@" => keyword = Some(token == "when"),
            "(" | "[" | "{" => {
                if depth == 0 && token == "{" {
                    open = keyword.take().map(|is_when| (is_when, offset + 1));
                }
                depth += 1;
            }
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0
                    && let Some((is_when, start)) = open.take()
                {
                    let text = statement.get(start..offset).unwrap_or_default();
                    clauses.push(Clause { is_when, text });
                }
            }
            _ => {}
        }
        before = token;
    }
    clauses
}

/// The path that a policy's first test asks for, where it is `context.path == "…"` or
/// `context.path like "…"`. The context always has a path, and it is a text: the test cannot fail, and
/// where it is false nothing behind it is evaluated.
fn path_of(first: Clause<'_>) -> Option<String> {
    let tokens: Vec<&str> =
        tokens(first.text).map(|(_, token)| token).filter(|token| !is_space(token)).collect();
    let (text, is_pattern, rest) = match tokens.as_slice() {
        ["context", ".", "path", "like", text, rest @ ..] => (*text, true, rest),
        ["context", ".", "path", "=", "=", text, rest @ ..] => (*text, false, rest),
        _ => return None,
    };
    let is_first_of_all = rest.first().is_none_or(|next| *next == "&&");
    // The test may stand on one side only of an `||`: brackets are not looked into.
    if !first.is_when || !is_first_of_all || rest.contains(&"||") {
        return None;
    }
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    let path = match text.split_once('*') {
        Some((before, _)) if is_pattern => before.get(..before.rfind('/')?)?,
        _ => text,
    };
    // Escapes are left to Cedar, and every path is at or below the root.
    (!text.contains('\\') && path.starts_with('/') && path != "/").then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(policy: &str, expected: &str) {
        let seen = joined(&clauses(policy)).replace('\n', "");
        assert_eq!(seen, expected, "{policy}");
    }

    #[test]
    fn clauses_are_joined_in_order() {
        check("permit(principal, action, resource);", "true");
        check("permit(principal, action, resource) when { a };", "true && ( a )");
        check(
            "@when(\"{\") @unless permit(principal, action, resource) // when { x }\n\
             when{a == {b: [\"}\"]}} unless {if c then d else e};",
            "true && (a == {b: [\"}\"]}) && !(if c then d else e)",
        );
        check("forbid(principal, action, resource) unless {a} when {b};", "true && !(a) && (b)");
    }

    #[track_caller]
    fn check_path(condition: &str, expected: Option<&str>) {
        let policy = format!("permit(principal, action, resource) when {{ {condition} }};");
        let clauses = clauses(&policy);
        assert_eq!(path_of(clauses[0]).as_deref(), expected, "{condition}");
        let policy = policy.replace("when", "unless");
        assert_eq!(path_of(self::clauses(&policy)[0]), None, "unless {condition}");
    }

    #[test]
    fn a_leading_test_of_the_path_is_told_where_it_is_one() {
        check_path("context.path == \"/a/b\"", Some("/a/b"));
        check_path("context.path like \"/a/b/*\" && context.host == \"x\"", Some("/a/b"));
        check_path("context.path like \"/a/b*c/*\"", Some("/a"));
        check_path("context.path == \"/a/*\"", Some("/a/*"));
        check_path("context.path like \"/a\" && (x || y)", None);
        for condition in [
            "context.path like \"/a/*\" || true",
            "context.path like \"/a/*\" && x || true",
            "(context.path like \"/a/*\")",
            "context.path like \"/*\"",
            "context.path like \"*/a\"",
            "context.path == \"/\"",
            "context.path like \"/a/\\*\"",
            "context.path != \"/a\"",
            "context.host == \"/a/b\"",
            "true && context.path == \"/a\"",
            "context.path == context.host",
        ] {
            check_path(condition, None);
        }
    }
}
