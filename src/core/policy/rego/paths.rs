//! Paths of rules, packages and data, and what a reference in the syntax tree names.

use std::fmt;

use regorus::unstable::Expr;

/// The components below `data`: of `data.authz.allow` they are `authz` and `allow`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RulePath(pub(super) Vec<String>);

/// A reference as far as it is static: `input.a[x].b` is `input`, `a`, and not whole.
pub(super) struct Static {
    pub(super) root: String,
    pub(super) rest: Vec<String>,
    pub(super) is_whole: bool,
    /// What follows the static part; a part that is computed is `None`.
    pub(super) tail: Vec<Option<String>>,
}

impl Static {
    /// A name alone.
    pub(super) fn name(name: &str) -> Self {
        Self { root: name.to_owned(), rest: Vec::new(), is_whole: true, tail: Vec::new() }
    }
}

impl RulePath {
    pub(super) fn join(&self, rest: &[String]) -> Self {
        Self(self.0.iter().chain(rest).cloned().collect())
    }

    pub(super) fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    pub(super) fn push(&self, name: &str) -> Self {
        self.join(&[name.to_owned()])
    }
}

/// As regorus writes rule paths: `data.graph["1.0"].deny`.
impl fmt::Display for RulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("data")?;
        for part in &self.0 {
            let is_name = part.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
                && part.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
            if is_name {
                write!(f, ".{part}")?;
            } else {
                write!(f, "[{}]", serde_json::Value::from(part.as_str()))?;
            }
        }
        Ok(())
    }
}

/// The static part of a reference that starts at a name; `None` where it starts at another value.
pub(super) fn static_part(expr: &Expr) -> Option<Static> {
    let mut parts = Vec::new(); // from the end
    let mut expr = expr;
    loop {
        if let Expr::Var { span, .. } = expr {
            parts.reverse();
            let known = parts.iter().position(Option::is_none).unwrap_or(parts.len());
            let tail = parts.split_off(known);
            let rest = parts.into_iter().flatten().collect();
            let is_whole = tail.is_empty();
            return Some(Static { root: span.text().to_owned(), rest, is_whole, tail });
        } else if let Expr::RefDot { refr, field, .. } = expr {
            parts.push(Some(field.0.text().to_owned()));
            expr = refr;
        } else if let Expr::RefBrack { refr, index, .. } = expr {
            parts.push(string_literal(index));
            expr = refr;
        } else {
            return None;
        }
    }
}

/// Of a raw string none: regorus 0.14.1 evaluates it as it evaluates a variable there.
fn string_literal(expr: &Expr) -> Option<String> {
    if let Expr::String { value, .. } = expr {
        value.as_string().ok().map(|text| text.to_string())
    } else {
        None
    }
}
