//! From the syntax tree of a bundle to what is watched, and the texts that do the watching.
//!
//! A statement `a == f(b)` becomes `saw(at(1), saw(at(2), a) == saw(at(3), f(saw(at(4), b))))`: the
//! interpreter itself says when it begins with an expression and what its value is. A call of an
//! extension has the value that it gives back, is undefined and raises as its argument does, and uses
//! the same names, so the order of statements, loops and errors stay what they are; what is not known
//! to keep them is not watched. Values that are literals stay, as the interpreter ends a loop early
//! for them.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Module, Query, Ref, Rule, RuleAssign, RuleBody, RuleHead, Span};

use super::super::names::Names;
use super::super::rules::{Definition, Kind as RuleKind, Rules};
use super::edits::Edits;
use super::sites::{Body, Kind, Part, Shape, Sites, Statement, Watched};
use super::syntax::{Quotes, is_literal};
use super::taint::{Scope, Taint};
use crate::policy::explanation::cut;

/// What is watched, and the texts of the modules.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) sites: Sites,
    pub(super) texts: BTreeMap<Ref<Module>, String>,
}

pub(super) fn watch(rules: &Rules, taint: &Taint) -> Watch {
    let mut sites = Sites::default();
    let mut modules: BTreeMap<&Ref<Module>, (Quotes, Edits)> = BTreeMap::new();
    for (_, definitions) in rules.iter() {
        for definition in definitions.iter().filter(|d| d.kind != RuleKind::Default) {
            let module = &definition.module;
            let (quotes, edits) = modules.entry(module).or_insert_with(|| {
                let quotes = Quotes::of(module.package.span.source.contents());
                (quotes, Edits::default())
            });
            let names = Names::of(module, rules);
            let scope = Scope::of(&names, taint, definition, rules);
            let watcher = Watcher { rules, names: &names, scope, quotes, edits, sites: &mut sites };
            watcher.definition(definition);
        }
    }
    let text = |(module, (_, edits)): (&Ref<Module>, (Quotes, Edits))| {
        let text = edits.apply(module.package.span.source.contents())?;
        Some((module.clone(), text))
    };
    Watch { texts: modules.into_iter().filter_map(text).collect(), sites }
}

/// Writes one definition down, and what is put into its text.
pub(super) struct Watcher<'a> {
    pub(super) rules: &'a Rules,
    pub(super) names: &'a Names<'a>,
    pub(super) scope: Scope<'a>,
    pub(super) quotes: &'a Quotes,
    pub(super) edits: &'a mut Edits,
    pub(super) sites: &'a mut Sites,
}

impl Watcher<'_> {
    fn definition(mut self, definition: &Definition) {
        let Rule::Spec { head, bodies, .. } = &*definition.rule else { return };
        let (span, value, arguments) = match head {
            RuleHead::Compr { span, assign, .. } => (span, self.assigned(assign.as_ref()), &[][..]),
            RuleHead::Func { span, args, assign, .. } => {
                (span, self.assigned(assign.as_ref()), args.as_slice())
            }
            RuleHead::Set { span, key, .. } => {
                let key = key.as_ref();
                (span, key.map(|key| (key, cut(self.quotes.text(key.span())))), &[][..])
            }
        };
        let number = self.sites.shapes.len();
        let named = |argument: &Ref<Expr>| {
            let Expr::Var { span, .. } = &**argument else { return None };
            (span.text() != "_").then(|| span.text().to_owned())
        };
        let arguments: Vec<Watched> = arguments
            .iter()
            .filter_map(|argument| {
                let is_masked = self.scope.carries(argument);
                named(argument).map(|text| Watched { text, is_masked })
            })
            .collect();
        self.sites.shapes.push(Shape {
            path: definition.path.clone(),
            file: definition.file.clone(),
            line: definition.line,
            text: cut(self.quotes.text(span)),
            is_function: definition.is_function(),
            bodies: Vec::new(),
            arguments,
            uses: self.uses(definition),
        });
        let count = bodies.len().max(1);
        let own = bodies.iter().map(Some).chain(bodies.is_empty().then_some(None));
        for (index, body) in own.take(count).enumerate() {
            let assigned = self.assigned(body.and_then(|body| body.assign.as_ref()));
            // The head's value is that of the first body and of all others without their own, and
            // is recorded where it is written.
            let value = if index == 0 { value.clone() } else { assigned };
            self.body(number, definition.line, body, value);
        }
    }

    /// What is assigned, and its text: the parser's span of an object begins with its last member.
    fn assigned<'e>(&self, assign: Option<&'e RuleAssign>) -> Option<(&'e Ref<Expr>, String)> {
        let assign = assign?;
        let text = self.quotes.text(&assign.span).trim_start_matches([':', '=']);
        Some((&assign.value, cut(text)))
    }

    fn body(
        &mut self,
        definition: usize,
        line: u32,
        body: Option<&RuleBody>,
        value: Option<(&Ref<Expr>, String)>,
    ) {
        let literal = match &value {
            None => Some("true".to_owned()),
            Some((value, text)) => is_literal(value).then(|| text.clone()),
        };
        let line = body.map_or(line, |body| body.span.line);
        let index = self.sites.bodies.len();
        let statements = Vec::new();
        let is_entered = false;
        let within = None;
        let new = Body { definition, within, statements, literal, line, is_entered };
        self.sites.bodies.push(new);
        if let Some(shape) = self.sites.shapes.get_mut(definition) {
            shape.bodies.push(index);
        }
        if let Some(body) = body {
            self.query(index, &body.query, true);
        }
        if let Some((value, _)) = value.filter(|(value, _)| !is_literal(value)) {
            let statement = self.statement(index, Kind::Value, value.span(), value.span().line);
            self.whole(index, statement, value);
        }
    }

    pub(super) fn query(&mut self, body: usize, query: &Query, is_entered: bool) {
        let Some(first) = query.stmts.first() else { return };
        let Some((start, end)) = self.quotes.range(&first.span) else { return };
        if is_entered {
            let is_alone = query.span.start == first.span.start;
            let site = self.sites.add(body, 0, Part::Enter);
            self.edits.enter(site, start, is_alone.then_some(end));
            self.arguments(body, start);
            if let Some(body) = self.sites.bodies.get_mut(body) {
                body.is_entered = true;
            }
        }
        for statement in &query.stmts {
            self.literal(body, statement);
        }
    }

    fn arguments(&mut self, body: usize, start: usize) {
        let Some(definition) = self.sites.bodies.get(body).map(|body| body.definition) else {
            return;
        };
        let shape = self.sites.shapes.get(definition);
        let names: Vec<String> =
            shape.into_iter().flat_map(|s| &s.arguments).map(|a| a.text.clone()).collect();
        for (index, name) in names.iter().enumerate() {
            let site = self.sites.add(body, 0, Part::Argument(index));
            self.edits.before(site, start, name);
        }
    }

    pub(super) fn statement(&mut self, body: usize, kind: Kind, span: &Span, line: u32) -> usize {
        let text = cut(self.quotes.text(span));
        let Some(body) = self.sites.bodies.get_mut(body) else { return 0 };
        body.statements.push(Statement {
            kind,
            text,
            line,
            whole: None,
            operands: Vec::new(),
            names: Vec::new(),
            inner: None,
            uses: Vec::new(),
        });
        body.statements.len() - 1
    }
}
