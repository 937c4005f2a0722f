//! The index over the rules of all modules: every definition with its path, kind and place.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead, Span};

use super::paths::{RulePath, static_part};

/// One definition of a rule; a rule with three bodies by three heads has three.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub(super) path: RulePath,
    pub(super) kind: Kind,
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) module: Ref<Module>,
    pub(super) rule: Ref<Rule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `allow := …`, `allow if …`
    Complete,
    /// `deny contains …`
    Set,
    /// `roles[x] := …`
    Object,
    Function {
        arity: usize,
    },
    Default,
}

/// All definitions by path; those of one path in the order of files and lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    by_path: BTreeMap<RulePath, Vec<Definition>>,
}

impl Rules {
    pub(super) fn of(modules: &[Ref<Module>]) -> Self {
        let mut rules = Self::default();
        for module in modules {
            let package = package_of(module);
            for rule in &module.policy {
                if let Some(definition) = definition(module, &package, rule) {
                    rules.by_path.entry(definition.path.clone()).or_default().push(definition);
                }
            }
        }
        for definitions in rules.by_path.values_mut() {
            definitions.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        }
        rules
    }

    /// The rules strictly below `path`.
    pub(super) fn below<'a>(&'a self, path: &'a RulePath) -> impl Iterator<Item = &'a RulePath> {
        let from = self.by_path.range(path.clone()..).map(|(rule, _)| rule);
        from.skip_while(move |rule| *rule == path).take_while(move |rule| rule.starts_with(path))
    }

    /// Whether a rule stands at `path` or below it.
    pub(super) fn has_below(&self, path: &RulePath) -> bool {
        let mut from = self.by_path.range(path.clone()..);
        from.next().is_some_and(|(rule, _)| rule.starts_with(path))
    }

    pub(super) fn at(&self, path: &RulePath) -> &[Definition] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    pub(super) fn contains(&self, path: &RulePath) -> bool {
        self.by_path.contains_key(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&RulePath, &[Definition])> {
        self.by_path.iter().map(|(path, definitions)| (path, definitions.as_slice()))
    }

    /// The rules that a reference to `path` may read: the rule itself, rules below it, and a rule
    /// above it whose value it looks into. What follows `path` narrows the rules below it.
    pub(super) fn read_by(
        &self,
        path: &RulePath,
        tail: &[Option<String>],
    ) -> impl Iterator<Item = &RulePath> {
        let below = self.by_path.range(path.clone()..).map(|(rule, _)| rule);
        let below = below.take_while(|rule| rule.starts_with(path));
        let below = below.filter(|rule| {
            let rest = rule.0.iter().skip(path.0.len());
            rest.zip(tail).all(|(part, wanted)| wanted.as_ref().is_none_or(|w| w == part))
        });
        let above = (1..path.0.len()).filter_map(|length| {
            let prefix = RulePath(path.0.get(..length)?.to_vec());
            self.by_path.get_key_value(&prefix).map(|(rule, _)| rule)
        });
        below.chain(above).collect::<Vec<_>>().into_iter()
    }

    /// The rule that a place in a file belongs to.
    pub(super) fn around(&self, file: &str, line: u32) -> Option<&Definition> {
        let all = self.by_path.values().flatten();
        let before = all.filter(|definition| definition.file == file && definition.line <= line);
        before.max_by_key(|definition| definition.line)
    }

    pub(super) fn count(&self) -> usize {
        self.by_path.values().map(Vec::len).sum()
    }
}

impl Definition {
    pub(super) const fn is_function(&self) -> bool {
        matches!(self.kind, Kind::Function { .. })
    }
}

pub(super) fn package_of(module: &Module) -> RulePath {
    let path = static_part(&module.package.refr).map(|path| {
        let mut parts = vec![path.root];
        parts.extend(path.rest);
        parts
    });
    RulePath(path.unwrap_or_default())
}

fn definition(module: &Ref<Module>, package: &RulePath, rule: &Ref<Rule>) -> Option<Definition> {
    let (refr, kind, span) = match &**rule {
        Rule::Default { refr, args, span, .. } => {
            let function = Kind::Function { arity: args.len() };
            (refr, if args.is_empty() { Kind::Default } else { function }, span)
        }
        Rule::Spec { span, head, .. } => match head {
            RuleHead::Func { refr, args, .. } => (refr, Kind::Function { arity: args.len() }, span),
            RuleHead::Set { refr, .. } => (refr, Kind::Set, span),
            RuleHead::Compr { refr, .. } => (refr, kind_of_head(refr), span),
        },
    };
    let head = static_part(refr)?;
    let mut path = package.push(&head.root);
    path.0.extend(head.rest);
    let Span { source, line, col, .. } = span;
    Some(Definition {
        path,
        kind,
        file: source.file().clone(),
        line: *line,
        column: *col,
        module: module.clone(),
        rule: rule.clone(),
    })
}

fn kind_of_head(refr: &Expr) -> Kind {
    if static_part(refr).is_some_and(|path| path.is_whole) { Kind::Complete } else { Kind::Object }
}
