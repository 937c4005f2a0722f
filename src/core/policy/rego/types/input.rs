//! References into the input: which type they end at, and the first part that does not exist.

use regorus::unstable::{Expr, Span};

use super::nearest::nearest;
use super::schema::{INPUT, Type};
use super::{Types, item_of};

/// Why a part of a reference leads nowhere.
pub(in super::super) enum Problem {
    NoField {
        name: String,
        near: Option<&'static str>,
    },
    HeaderCase {
        name: String,
    },
    /// A field of what has none.
    NotAnObject {
        name: String,
        is: &'static str,
    },
}

impl Problem {
    /// `of` is what was referred to so far.
    pub(in super::super) fn message(&self, of: &str) -> String {
        match self {
            Self::NoField { name, .. } => format!("{of} has no field `{name}`"),
            Self::HeaderCase { name } => {
                format!("`{name}` never matches: header names are in lower case")
            }
            Self::NotAnObject { name, is } => format!("{of} is {is} and has no field `{name}`"),
        }
    }

    pub(in super::super) fn hint(&self) -> Option<String> {
        match self {
            Self::NoField { near, .. } => near.map(|near| format!("did you mean `{near}`?")),
            Self::HeaderCase { name } => Some(format!("write `{}`", name.to_lowercase())),
            Self::NotAnObject { is, .. } => {
                is.contains("list").then(|| "index it with `[_]`, or use `some v in …`".to_owned())
            }
        }
    }
}

/// The type of a field, `None` where any is allowed.
pub(in super::super) fn field(
    of: &'static Type,
    name: &str,
) -> Result<Option<&'static Type>, Problem> {
    let not_an_object = |is| Err(Problem::NotAnObject { name: name.to_owned(), is });
    match of {
        Type::Any => Ok(None),
        Type::Map(value) => Ok(Some(value)),
        Type::Headers(_) if name.chars().any(char::is_uppercase) => {
            Err(Problem::HeaderCase { name: name.to_owned() })
        }
        Type::Headers(value) => Ok(Some(value)),
        Type::Open(fields) => Ok(find(fields, name)),
        Type::Object(fields) => match find(fields, name) {
            Some(field) => Ok(Some(field)),
            None => Err(Problem::NoField {
                name: name.to_owned(),
                near: nearest(name, fields.iter().map(|(name, _)| *name)),
            }),
        },
        Type::List(_) => not_an_object("a list"),
        Type::String => not_an_object("a string"),
        Type::Number => not_an_object("a number"),
        Type::Boolean => not_an_object("a boolean"),
    }
}

fn find(fields: &'static [(&'static str, Type)], name: &str) -> Option<&'static Type> {
    fields.iter().find(|(field, _)| *field == name).map(|(_, field)| field)
}

/// One part of a reference.
enum Part<'a> {
    Name(String, &'a Span),
    Computed,
}

impl Types<'_, '_> {
    /// The type at the end of a reference; nothing is reported.
    pub(super) fn type_of_path(&self, expr: &Expr) -> Option<&'static Type> {
        let (start, parts) = parts(expr)?;
        let mut at = self.start(start.text())?;
        for part in &parts {
            at = match part {
                Part::Name(name, _) => field(at, name).ok()??,
                Part::Computed => item_of(at)?,
            };
        }
        Some(at)
    }

    /// Reports the first part of a reference that the document does not have.
    pub(super) fn check_path(&mut self, expr: &Expr) {
        let Some((start, parts)) = parts(expr) else { return };
        let Some(mut at) = self.start(start.text()) else { return };
        let mut so_far = start.text().to_owned();
        for part in parts {
            let next = match part {
                Part::Name(name, span) => match field(at, &name) {
                    Ok(next) => {
                        so_far = format!("{so_far}.{name}");
                        next
                    }
                    Err(problem) => {
                        let message = problem.message(&format!("`{so_far}`"));
                        return self.report(span, message, problem.hint());
                    }
                },
                Part::Computed => {
                    so_far.push_str("[_]");
                    item_of(at)
                }
            };
            let Some(next) = next else { return };
            at = next;
        }
    }

    /// What a name stands for: a local variable, an import of a part of the input, the input.
    fn start(&self, name: &str) -> Option<&'static Type> {
        if let Some(local) = self.locals.iter().rev().find_map(|names| names.get(name)) {
            return *local;
        }
        if self.is_replaced {
            return None;
        }
        let path = self.names.input_path(name)?;
        path.iter().try_fold(&INPUT, |at, name| field(at, name).ok()?)
    }
}

fn parts(expr: &Expr) -> Option<(&Span, Vec<Part<'_>>)> {
    let mut parts = Vec::new();
    let mut expr = expr;
    loop {
        if let Expr::Var { span, .. } = expr {
            parts.reverse();
            return Some((span, parts));
        } else if let Expr::RefDot { refr, field, .. } = expr {
            parts.push(Part::Name(field.0.text().to_owned(), &field.0));
            expr = refr;
        } else if let Expr::RefBrack { refr, index, .. } = expr {
            if let Expr::String { span, value, .. } | Expr::RawString { span, value, .. } = &**index
            {
                parts.push(Part::Name(value.as_string().ok()?.to_string(), span));
            } else {
                parts.push(Part::Computed);
            }
            expr = refr;
        } else {
            return None;
        }
    }
}
