//! The conditions of one statement, cut where its text cuts them: Cedar's syntax tree has no places.

use super::super::scan::tokens;
use crate::policy::coverage::Clause;

/// One `when` or `unless`.
#[derive(Debug)]
pub(super) struct Condition<'a> {
    pub(super) clause: Clause,
    /// Of its word, in the statement.
    pub(super) offset: usize,
    pub(super) joint: Joint,
    /// At least one.
    pub(super) parts: Vec<Part<'a>>,
}

/// What joins the outermost operands; of a single one it does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joint {
    And,
    Or,
}

/// One operand, without the space and the comments around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) offset: usize,
    pub(super) text: &'a str,
}

/// Finds the conditions of a statement that Cedar has parsed.
pub(super) fn conditions(statement: &str) -> Vec<Condition<'_>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut open: Option<(Clause, usize)> = None;
    let mut body = Vec::new();
    // Before it stand annotations, which may be called anything.
    let mut has_effect = false;
    let mut last = "";
    for (offset, token) in tokens(statement).filter(|(_, token)| is_code(token)) {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "permit" | "forbid" if last != "@" => has_effect = true,
            "when" if depth == 0 && has_effect => open = Some((Clause::When, offset)),
            "unless" if depth == 0 && has_effect => open = Some((Clause::Unless, offset)),
            _ => {}
        }
        last = token;
        if token == "}" && depth == 0 {
            if let Some((clause, offset)) = open.take() {
                let (joint, parts) = operands(statement, &body);
                found.push(Condition { clause, offset, joint, parts });
            }
            body.clear();
        } else if open.is_some() && depth > 0 {
            body.push((offset, token, depth));
        }
    }
    found
}

/// Cuts at `||`, or where there is none at `&&`, which binds closer; the first of `body` is the
/// condition's brace.
fn operands<'a>(statement: &'a str, body: &[(usize, &'a str, usize)]) -> (Joint, Vec<Part<'a>>) {
    let body = body.get(1..).unwrap_or_default();
    let has = |joint: &str| body.iter().any(|(_, token, depth)| *depth == 1 && *token == joint);
    // What `if` begins reaches to the end, its `else` included.
    let is_whole = body.first().is_some_and(|(_, token, _)| *token == "if");
    let (joint, word) = if has("||") { (Joint::Or, "||") } else { (Joint::And, "&&") };
    let is_cut =
        |(_, token, depth): &(usize, &str, usize)| !is_whole && *depth == 1 && *token == word;
    let part = |tokens: &[(usize, &'a str, usize)]| {
        let ((start, _, _), (last, token, _)) = (tokens.first()?, tokens.last()?);
        let text = statement.get(*start..last + token.len())?;
        Some(Part { offset: *start, text })
    };
    (joint, body.split(is_cut).filter_map(part).collect())
}

fn is_code(token: &str) -> bool {
    !token.starts_with("//") && !token.trim_start().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each condition as `when & a | b`, with its joint and operands.
    #[track_caller]
    fn check(statement: &str, expected: &[&str]) {
        let seen = conditions(statement).into_iter().map(|condition| {
            let joint = if condition.joint == Joint::And { "&" } else { "|" };
            let parts: Vec<_> = condition.parts.iter().map(|part| part.text).collect();
            let clause = statement.get(condition.offset..).unwrap();
            assert!(clause.starts_with(condition.clause.as_str()));
            format!("{} {joint} {}", condition.clause.as_str(), parts.join(" / "))
        });
        assert_eq!(seen.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn each_clause_is_found_behind_the_scope() {
        check("permit(principal, action, resource);", &[]);
        check(
            "@note(\"when { a }\") permit(a) when { x } unless {y} when { z };",
            &["when & x", "unless & y", "when & z"],
        );
        check("@when(\"a\") @permit(\"b\") forbid(a) unless { x };", &["unless & x"]);
        check("permit(a) when { {\"when\": 1} == r };", &["when & {\"when\": 1} == r"]);
    }

    #[test]
    fn operands_are_cut_at_the_outermost_joint() {
        check("permit(a) when { a && b == c && d };", &["when & a / b == c / d"]);
        check("permit(a) when { a || b && c };", &["when | a / b && c"]);
        check("permit(a) when { (a || b) && [c || d] };", &["when & (a || b) / [c || d]"]);
        check("permit(a) when { \"a && b\" == c };", &["when & \"a && b\" == c"]);
    }

    #[test]
    fn a_choice_is_one_part_to_its_end() {
        check("permit(a) when { if a then b else c && d };", &["when & if a then b else c && d"]);
    }

    #[test]
    fn comments_between_operands_belong_to_none() {
        check("permit(a) when { // x && y\n a && // b ||\n c // d\n };", &["when & a / c"]);
    }
}
