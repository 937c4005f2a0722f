//! Imported names that the engine would mix up: it knows them by their package, not by their file, and
//! a rule of that name is found before what was imported.

use std::collections::BTreeMap;

use regorus::unstable::{Module, Ref, Span};

use super::super::super::{Code, Findings};
use super::super::paths::{RulePath, static_part};
use super::super::rules::{Rules, package_of};
use super::super::walk::start_of;
use super::report;

/// Reports a name that two files of a package import from different places, and one that is also a
/// rule's or a package's.
pub(in super::super) fn check_imported_names(
    modules: &[Ref<Module>],
    rules: &Rules,
    findings: &mut Findings,
) {
    let mut targets: BTreeMap<RulePath, (Vec<String>, &Span)> = BTreeMap::new();
    for module in modules {
        let package = package_of(module);
        for import in &module.imports {
            let Some(target) = static_part(&import.refr) else { continue };
            if target.root != "data" && target.root != "input" {
                continue;
            }
            let at = start_of(&import.refr);
            let path = [vec![target.root], target.rest].concat();
            let alias = import.r#as.as_ref().map(|span| span.text().to_owned());
            let Some(alias) = alias.or_else(|| path.last().cloned()) else { continue };
            let name = package.push(&alias);
            // `import data.p.sub` in package `p` names what it hides.
            let is_itself = path.first().is_some_and(|root| root == "data")
                && path.get(1..).is_some_and(|rest| rest == name.0);
            if !is_itself && rules.has_below(&name) {
                let message = format!("`{alias}` is imported here and is `{name}` too");
                let hint = Some("give the import another name with `as`");
                report(findings, at, Code::RegoCompileError, message, hint);
            }
            if let Some((other, first)) = targets.get(&name)
                && *other != path
                && first.source.file() != at.source.file()
            {
                let (file, line) = (first.source.file(), first.line);
                let message =
                    format!("`{alias}` is imported from another place in `{file}` line {line}");
                let hint = Some("a name means one thing in all files of a package: use `as`");
                report(findings, at, Code::RegoCompileError, message, hint);
            }
            targets.entry(name).or_insert((path, at));
        }
    }
}
