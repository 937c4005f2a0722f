//! The syntax tree as the explanation walks it: what stands inside an expression, and where its text is.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Query, Ref, Span};

/// The expressions directly inside one, without those of a comprehension's query.
pub(super) fn inside(expr: &Expr) -> Vec<&Ref<Expr>> {
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => Vec::new(),
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().collect(),
        Expr::Object { fields, .. } => {
            fields.iter().flat_map(|(_, key, value)| [key, value]).collect()
        }
        Expr::ArrayCompr { term, .. } | Expr::SetCompr { term, .. } => vec![term],
        Expr::ObjectCompr { key, value, .. } => vec![key, value],
        Expr::Call { fcn, params, .. } => [fcn].into_iter().chain(params).collect(),
        Expr::UnaryExpr { expr, .. } => vec![expr],
        Expr::RefDot { refr, .. } => vec![refr],
        Expr::RefBrack { refr, index, .. } => vec![refr, index],
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => vec![lhs, rhs],
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).collect()
        }
    }
}

/// The query of a comprehension.
pub(super) const fn query_of(expr: &Expr) -> Option<&Ref<Query>> {
    if let Expr::ArrayCompr { query, .. }
    | Expr::SetCompr { query, .. }
    | Expr::ObjectCompr { query, .. } = expr
    {
        Some(query)
    } else {
        None
    }
}

/// Whether an expression is written out: it says its value itself.
pub(super) fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. } => true,
        Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. } => {
            inside(expr).into_iter().all(|part| is_literal(part))
        }
        Expr::Var { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. }
        | Expr::Call { .. }
        | Expr::UnaryExpr { .. }
        | Expr::RefDot { .. }
        | Expr::RefBrack { .. }
        | Expr::BinExpr { .. }
        | Expr::BoolExpr { .. }
        | Expr::ArithExpr { .. }
        | Expr::AssignExpr { .. }
        | Expr::Membership { .. } => false,
    }
}

/// Where the text of a module's literals stands: the parser's spans leave their quotes out.
#[derive(Debug, Default)]
pub(super) struct Quotes {
    starts: BTreeSet<usize>,
    ends: BTreeSet<usize>,
}

impl Quotes {
    pub(super) fn of(text: &str) -> Self {
        let mut quotes = Self::default();
        let mut bytes = text.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'#' => while bytes.next().is_some_and(|(_, byte)| byte != b'\n') {},
                b'"' | b'`' => {
                    quotes.starts.insert(at + 1);
                    while let Some((end, inner)) = bytes.next() {
                        if inner == byte {
                            quotes.ends.insert(end);
                            break;
                        }
                        if inner == b'\\' && byte == b'"' {
                            bytes.next();
                        }
                    }
                }
                _ => {}
            }
        }
        quotes
    }

    /// The bytes of what a span covers, quotes included.
    pub(super) fn range(&self, span: &Span) -> Option<(usize, usize)> {
        let (start, end) = (usize::try_from(span.start).ok()?, usize::try_from(span.end).ok()?);
        let start = if self.starts.contains(&start) { start - 1 } else { start };
        let end = if self.ends.contains(&end) { end + 1 } else { end };
        (start < end).then_some((start, end))
    }

    pub(super) fn text<'a>(&self, span: &'a Span) -> &'a str {
        self.range(span)
            .and_then(|(start, end)| span.source.contents().get(start..end))
            .unwrap_or_default()
    }
}
