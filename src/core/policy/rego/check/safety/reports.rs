//! What is said of a variable that is unsafe, or that nothing reads.

use regorus::unstable::{Literal, Query, Span};

use super::super::super::super::Code;
use super::super::report;
use super::terms::assigned;
use super::{Frame, Safety, Use};

impl Safety<'_, '_> {
    pub(super) fn report(&mut self, used: Use<'_>) {
        let (message, hint) = if used.name == "_" {
            (
                "`_` is unsafe here: nothing gives it a value".to_owned(),
                "under `not`, name the values with `some … in`, or call a rule of its own",
            )
        } else {
            (
                format!("variable `{}` is unsafe: nothing gives it a value", used.name),
                "define it with `:=` or `some … in` outside `not`, or correct the name",
            )
        };
        report(self.findings, used.span, Code::RegoUnsafeVarError, message, Some(hint));
    }

    /// `some x` that is not read is an error of OPA's, `x := …` one of its strict check.
    pub(super) fn check_unused(&mut self, query: &Query, frame: &Frame<'_>) {
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeVars { vars, .. } => {
                    for span in vars.iter().filter(|span| !frame.used.contains(span.text())) {
                        self.unused(span);
                    }
                }
                Literal::Expr { expr, .. } => {
                    if let Some(span) = assigned(expr)
                        && span.text() != "_"
                        && !frame.used.contains(span.text())
                    {
                        let message = format!("`{}` is assigned and never read", span.text());
                        let file = span.source.file();
                        self.findings.warning(file, span.line, span.col, message);
                    }
                }
                Literal::SomeIn { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => {}
            }
        }
    }

    pub(super) fn unused(&mut self, span: &Span) {
        let message = format!("`{}` is declared and never read", span.text());
        report(
            self.findings,
            span,
            Code::RegoCompileError,
            message,
            Some("remove it, or write `_`"),
        );
    }
}
