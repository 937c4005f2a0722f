//! What a name means in a module: imports first, then the rules of its own package.

use std::collections::BTreeMap;

use regorus::unstable::Module;

use super::paths::{RulePath, Static, static_part};
use super::rules::{Rules, package_of};

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
        let is_rule = self.rules.read_by(&path).any(|rule| rule.starts_with(&path));
        is_rule.then(|| path.join(&name.rest))
    }

    /// The function of the bundle that a call means; a builtin otherwise.
    pub(super) fn function(&self, name: &Static) -> Option<RulePath> {
        let path = self.data_path(name)?;
        self.rules.at(&path).first().is_some_and(|d| d.is_function()).then_some(path)
    }
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
