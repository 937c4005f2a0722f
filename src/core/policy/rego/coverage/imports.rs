//! References through imports, written out.
//!
//! For a name that an import of data gives, the interpreter evaluates everything below what is
//! imported, whichever part of it is meant: all rules of a package would seem reached.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, Module, Query, Rule, RuleHead, Span};

use super::super::walk::{declared, names_in_pattern, start_of};
use super::marking::{Change, index};
use super::visit::{Inside, of_expr, of_rule, of_statement};

/// The changes to a module's text after which it names all data by its whole path.
pub(super) fn written_out(module: &Module) -> Vec<Change> {
    let names = imported(module);
    let mut pass = Pass { names: &names, locals: BTreeSet::new(), found: Vec::new() };
    for rule in &module.policy {
        pass.arguments(rule);
        of_rule(rule).iter().for_each(|inside| pass.inside(inside));
    }
    let Pass { locals, found, .. } = pass;
    // A local variable of the name hides the import somewhere: where, is not worth knowing.
    let is_meant = |name: &str| !locals.contains(name);
    let change = |(name, span): (String, &Span)| {
        let path = names.get(&name).filter(|_| is_meant(&name))?;
        let (start, end) = (index(span.start), index(span.end));
        Some(Change { start, end, text: path.clone() })
    };
    found.into_iter().filter_map(change).collect()
}

/// The names that imports of data give, each with the path that it stands for.
fn imported(module: &Module) -> BTreeMap<String, String> {
    let text = module.package.span.source.contents();
    let import = module.imports.iter().filter_map(|import| {
        let start = index(start_of(&import.refr).start);
        let path = text.get(start..index(import.refr.span().end))?;
        let name = match (&import.r#as, &*import.refr) {
            (Some(name), _) => name.text(),
            (None, Expr::RefDot { field, .. }) => field.0.text(),
            (None, _) => return None,
        };
        path.starts_with("data.").then(|| (name.to_owned(), path.to_owned()))
    });
    import.collect()
}

struct Pass<'a> {
    names: &'a BTreeMap<String, String>,
    locals: BTreeSet<String>,
    /// Where a reference starts with one of the names.
    found: Vec<(String, &'a Span)>,
}

impl<'a> Pass<'a> {
    fn arguments(&mut self, rule: &'a Rule) {
        if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule {
            args.iter().for_each(|arg| names_in_pattern(arg, &mut self.locals));
        }
    }

    fn inside(&mut self, inside: &Inside<'a>) {
        match inside {
            Inside::Expr(expr) => self.expr(expr),
            Inside::Query(query) => self.query(query),
        }
    }

    fn query(&mut self, query: &'a Query) {
        self.locals.extend(declared(query));
        for statement in &query.stmts {
            if let Literal::Every { key, value, .. } = &statement.literal {
                let names = key.iter().chain([value]).map(|span| span.text().to_owned());
                self.locals.extend(names);
            }
            of_statement(statement).iter().for_each(|inside| self.inside(inside));
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        if let Expr::Var { span, .. } = expr
            && self.names.contains_key(span.text())
        {
            self.found.push((span.text().to_owned(), span));
        }
        of_expr(expr).iter().for_each(|inside| self.inside(inside));
    }
}
