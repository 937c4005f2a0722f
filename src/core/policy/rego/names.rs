//! What a name means in a module: imports first, then the rules of its own package.

use std::collections::BTreeMap;

use regorus::unstable::{BUILTINS, Module};

use super::builtins;
use super::paths::{RulePath, Static, static_part};
use super::rules::{Kind, Rules, package_of};

/// The names of one module.
pub(super) struct Names<'a> {
    rules: &'a Rules,
    package: RulePath,
    /// Alias to what was imported, `data` or `input` first.
    imports: BTreeMap<String, Vec<String>>,
}

impl<'a> Names<'a> {
    pub(super) fn of(module: &Module, rules: &'a Rules) -> Self {
        let mut imports = BTreeMap::new();
        for import in &module.imports {
            let Some(target) = static_part(&import.refr) else { continue };
            let mut path = vec![target.root];
            path.extend(target.rest);
            let alias = import.r#as.as_ref().map(|span| span.text().to_owned());
            if let Some(alias) = alias.or_else(|| path.last().cloned()) {
                imports.insert(alias, path);
            }
        }
        Self { rules, package: package_of(module), imports }
    }

    /// The path below `data` that a reference reads; `None` for the input, builtins and locals.
    pub(super) fn data_path(&self, name: &Static) -> Option<RulePath> {
        if name.root == "data" {
            return Some(RulePath(name.rest.clone()));
        }
        if let Some(target) = self.imports.get(&name.root) {
            let (root, path) = target.split_first()?;
            return (root == "data").then(|| RulePath(path.to_vec()).join(&name.rest));
        }
        let path = self.package.push(&name.root);
        self.rules.has_below(&path).then(|| path.join(&name.rest))
    }

    /// The path below `data` that an imported name stands for: the engine evaluates all of it, whatever
    /// part a reference reads.
    pub(super) fn imported_data(&self, name: &str) -> Option<RulePath> {
        let (root, path) = self.imports.get(name)?.split_first()?;
        (root == "data" && name != "data").then(|| RulePath(path.to_vec()))
    }

    /// The path below `input` that a name stands for.
    pub(super) fn input_path(&self, name: &str) -> Option<&[String]> {
        if name == "input" {
            return Some(&[]);
        }
        if name == "data" {
            return None;
        }
        let (root, path) = self.imports.get(name)?.split_first()?;
        (root == "input").then_some(path)
    }

    /// Whether a name may be called: a function of the bundle or a builtin, be it a refused one.
    pub(super) fn is_callable(&self, name: &Static) -> bool {
        let builtin = dotted(name);
        self.function(name).is_some()
            || builtin_arity(&builtin).is_some()
            || builtins::reason_refused(&builtin).is_some()
            || builtin == "print"
    }

    /// Whether a name was imported.
    pub(super) fn is_import(&self, name: &str) -> bool {
        self.imports.contains_key(name)
    }

    /// Whether a name that no query declares means `input`, `data`, an import or a rule.
    pub(super) fn is_global(&self, name: &str) -> bool {
        name == "input" || name == "data" || self.imports.contains_key(name) || {
            self.rules.has_below(&self.package.push(name))
        }
    }

    /// How many arguments a function of the bundle or a builtin takes.
    pub(super) fn arity(&self, name: &Static) -> Option<usize> {
        let Some(function) = self.function(name) else { return builtin_arity(&dotted(name)) };
        self.rules.at(&function).iter().find_map(|definition| match definition.kind {
            Kind::Function { arity } => Some(arity),
            Kind::Complete | Kind::Set | Kind::Object | Kind::Default => None,
        })
    }

    /// The function of the bundle that a call means; a builtin otherwise.
    pub(super) fn function(&self, name: &Static) -> Option<RulePath> {
        let path = self.data_path(name)?;
        self.rules.at(&path).first().is_some_and(|d| d.is_function()).then_some(path)
    }
}

/// How many arguments a builtin of ours or of regorus takes.
pub(super) fn builtin_arity(name: &str) -> Option<usize> {
    builtins::arity(name).or_else(|| {
        let (_, arity) = BUILTINS.get(name).filter(|_| !name.starts_with("__"))?;
        Some(usize::from(*arity))
    })
}

/// A builtin's name as it is written: `time.now_ns`.
pub(super) fn dotted(name: &Static) -> String {
    let mut text = name.root.clone();
    for part in &name.rest {
        text.push('.');
        text.push_str(part);
    }
    text
}
