//! The file and its rules.

use std::cmp::Ordering;

use super::tokens::lines_in;
use super::tree::{
    Head, Import, Item, Module, Rule, Statement, StatementKind, Step, Term, TermKind,
};
use super::writer::{Writer, Written};

impl<'a> Writer<'a> {
    /// Writes the file; a comment without a place is not lost, which is checked afterwards.
    pub(super) fn module(&mut self, module: &Module<'a>, package_row: u32) {
        let _ = self.comments_to(package_row);
        self.start_line();
        self.write("package ");
        let _ = self.name(&module.package);
        self.blank_line();
        let has_long_heads = module.items.iter().any(has_long_head);
        let is_v1 = module.items.iter().any(is_import_of_v1);
        let mut items = module.items.iter().peekable();
        while items.peek().is_some() {
            let mut imports = Vec::new();
            while let Some(Item::Import(import)) = items.peek() {
                imports.push(import);
                items.next();
            }
            self.imports(&imports, is_v1);
            let mut rules = Vec::new();
            while let Some(Item::Rule(rule)) = items.peek() {
                rules.push(&**rule);
                items.next();
            }
            self.rules(&rules, has_long_heads);
        }
    }

    /// Writes imports group by group, each sorted.
    fn imports(&mut self, imports: &[&Import<'a>], is_v1: bool) {
        let is_kept = |import: &&&Import<'a>| !(is_v1 && is_future(import));
        let imports: Vec<_> = imports.iter().filter(is_kept).copied().collect();
        let rows: Vec<_> = imports.iter().map(|import| import.row).collect();
        let comments = self.take_comments_at(&rows);
        for group in imports.chunk_by(|one, next| next.row.saturating_sub(one.row) <= 1) {
            if let Some(first) = group.first() {
                let _ = self.comments_to(first.row);
            }
            let mut group = group.to_vec();
            group.sort_by(|one, other| order(one, other));
            for import in group {
                self.start_line();
                self.write("import ");
                let _ = self.name(&import.path);
                if let Some(alias) = import.alias {
                    self.write(" as ");
                    self.write(alias);
                }
                if let Some(comment) = comments.iter().find(|comment| comment.row == import.row) {
                    self.write(" ");
                    self.write(comment.text);
                }
                self.end_line();
            }
            self.blank_line();
        }
    }

    fn rules(&mut self, rules: &[&Rule<'a>], has_long_heads: bool) {
        let mut rest = rules.iter().peekable();
        while let Some(rule) = rest.next() {
            let _ = self.comments_to(rule.row);
            self.whole(rule.row, rule.text, |writer| writer.rule(rule, has_long_heads));
            let is_followed = rest.peek().is_some_and(|next| {
                is_groupable(rule) && is_groupable(next) && next.row == rule.row + 1
            });
            if !is_followed {
                self.blank_line();
            }
        }
    }

    fn rule(&mut self, rule: &Rule<'a>, has_long_heads: bool) -> Written {
        if rule.head.name.is_some() {
            self.start_line();
        }
        if rule.is_default {
            self.write("default ");
        }
        let is_constant = is_constant(rule);
        self.ends_line = is_constant;
        let mut written = self.head(rule, is_constant, has_long_heads);
        let body = rule.body.as_ref().filter(|_| !is_constant);
        let Some(body) = body else {
            self.end_line();
            return written;
        };
        self.ends_line = true;
        self.write(" if");
        let head_end = rule.head.row + lines_in(rule.head.text);
        if let [only] = body.statements.as_slice()
            && only.row == head_end
            && !is_set(only)
        {
            self.write(" ");
            self.statement(only)?;
            self.end_line();
            return written.and(self.otherwise(rule));
        }
        if written.is_err() {
            self.write(" { ");
        } else {
            self.write(" {");
            self.end_line();
        }
        self.indent();
        written = written.and(self.statements(&body.statements));
        if let Some(close_row) = body.close_row {
            written = written.and(self.comments_to(close_row));
        }
        self.dedent();
        self.start_line();
        self.write("}");
        written.and(self.otherwise(rule))
    }

    fn otherwise(&mut self, rule: &Rule<'a>) -> Written {
        let Some(otherwise) = &rule.otherwise else { return Ok(()) };
        let has_comment = self.has_comment_above(otherwise.row) || self.has_waiting_comment();
        if otherwise.is_inline && !has_comment {
            self.write(" ");
        } else {
            self.blank_line();
            self.start_line();
        }
        self.comments_to(otherwise.row)?;
        if has_comment && !otherwise.is_inline {
            self.start_line();
        }
        self.rule(otherwise, false)
    }

    fn head(&mut self, rule: &Rule<'a>, is_constant: bool, has_long_heads: bool) -> Written {
        let head = &rule.head;
        match &head.name {
            None => self.write("else"),
            Some(name) => match short_path(name).filter(|_| !has_long_heads) {
                None => self.name(name)?,
                Some((_, step)) if self.has_comment_at(row_of(step)) => {
                    self.write_as_it_stands(head.row, head.text);
                    return Ok(());
                }
                Some((root, step)) => {
                    self.write(root);
                    self.write("[");
                    self.write(&quoted(step));
                    self.write("]");
                }
            },
        }
        if let Some(arguments) = &head.arguments {
            self.parameters(head, arguments)?;
        }
        if let Some(key) = &head.key {
            self.write(" contains ");
            self.term(key)?;
        }
        self.value(rule, is_constant)
    }

    fn value(&mut self, rule: &Rule<'a>, is_constant: bool) -> Written {
        let Head { name, arguments, key, value, .. } = &rule.head;
        let is_said = |value: &Term<'a>| !value.is_true() || is_constant || rule.is_default;
        match value {
            Some(value) if is_said(value) => {
                self.write(" := ");
                // The comment beside an `else` is taken already.
                self.term(value)
            }
            None if is_constant && arguments.is_none() && key.is_none() && name.is_some() => {
                self.write(" := true");
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A name with its path.
    pub(super) fn name(&mut self, name: &Term<'a>) -> Written {
        if let TermKind::Reference { head, path } = &name.kind {
            return self.reference(head, path);
        }
        self.write(name.text);
        Ok(())
    }
}

/// `p := 1` and `p := 1 if true` are the same.
fn is_constant(rule: &Rule<'_>) -> bool {
    let Some(body) = &rule.body else { return true };
    let is_true = |statement: &Statement<'_>| {
        let is_true = matches!(&statement.kind, StatementKind::Term(term) if term.is_true());
        is_true && !statement.is_negated && statement.withs.is_empty()
    };
    matches!(body.statements.as_slice(), [only] if is_true(only)) && rule.otherwise.is_none()
}

/// The outer braces of `p if { {x} }` are the body's.
fn is_set(statement: &Statement<'_>) -> bool {
    let StatementKind::Term(term) = &statement.kind else { return false };
    matches!(term.kind, TermKind::Set(_) | TermKind::EmptySet { .. }) && !statement.is_negated
}

fn is_groupable(rule: &Rule<'_>) -> bool {
    !rule.is_default && rule.body.as_ref().is_none_or(|body| body.statements.len() <= 1)
}

fn has_long_head(item: &Item<'_>) -> bool {
    let Item::Rule(rule) = item else { return false };
    let head = &rule.head;
    let Some(Term { kind: TermKind::Reference { path, .. }, .. }) = &head.name else {
        return false;
    };
    path.len() > 1 || (head.key.is_some() && head.value.is_none())
}

const fn row_of(step: &Step<'_>) -> u32 {
    let (Step::Name(term) | Step::Index(term)) = step;
    term.row
}

/// The root and the only step of a name.
fn short_path<'t, 'a>(name: &'t Term<'a>) -> Option<(&'a str, &'t Step<'a>)> {
    let TermKind::Reference { head, path } = &name.kind else { return None };
    let [step] = path.as_slice() else { return None };
    Some((head.text, step))
}

fn quoted(step: &Step<'_>) -> String {
    match step {
        Step::Name(name) => format!("\"{}\"", name.text),
        Step::Index(index) => {
            match index.text.strip_prefix('`').and_then(|t| t.strip_suffix('`')) {
                Some(raw) => serde_json::Value::from(raw).to_string(),
                None => Writer::on_one_line(|writer| writer.term(index))
                    .unwrap_or(index.text.to_owned()),
            }
        }
    }
}

fn is_import_of_v1(item: &Item<'_>) -> bool {
    matches!(item, Item::Import(import) if parts(&import.path) == ["rego", "v1"])
}

fn is_future(import: &Import<'_>) -> bool {
    parts(&import.path).first().is_some_and(|root| *root == "future")
}

fn parts<'t>(path: &'t Term<'_>) -> Vec<&'t str> {
    let TermKind::Reference { head, path } = &path.kind else { return vec![path.text] };
    let text = |step: &'t Step<'_>| {
        let (Step::Name(term) | Step::Index(term)) = step;
        term.text.trim_matches(['"', '`'])
    };
    std::iter::once(head.text).chain(path.iter().map(text)).collect()
}

fn order(one: &Import<'_>, other: &Import<'_>) -> Ordering {
    parts(&one.path).cmp(&parts(&other.path)).then_with(|| one.alias.cmp(&other.alias))
}
