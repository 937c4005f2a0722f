//! The imports of a module: names given twice, versions that are another language, and names that
//! nothing uses.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Import, Module, Ref, Span};

use super::super::super::{Code, Findings};
use super::super::paths::static_part;
use super::super::walk::start_of;
use super::report;

/// The names that each file uses at the start of a reference or call.
#[derive(Default)]
pub(super) struct UsedNames {
    by_file: BTreeMap<String, (Ref<Module>, BTreeSet<String>)>,
}

impl UsedNames {
    pub(super) fn add(
        &mut self,
        file: &str,
        module: &Ref<Module>,
        names: impl Iterator<Item = String>,
    ) {
        if let Some((_, used)) = self.by_file.get_mut(file) {
            used.extend(names);
        } else {
            self.by_file.insert(file.to_owned(), (module.clone(), names.collect()));
        }
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        for (module, used) in self.by_file.values() {
            check_imports(module, used, findings);
        }
    }
}

fn check_imports(module: &Module, used: &BTreeSet<String>, findings: &mut Findings) {
    let mut lines: BTreeMap<String, u32> = BTreeMap::new();
    for import in &module.imports {
        let Some(path) = static_part(&import.refr) else { continue };
        let at = start_of(&import.refr);
        if path.root == "rego" && path.rest != ["v1"] {
            let name = import_text(import);
            let message = format!("`import {name}` is not supported: policies are Rego v1");
            let hint = Some("write `import rego.v1`, or nothing");
            report(findings, at, Code::RegoParseError, message, hint);
        }
        if path.root != "data" && path.root != "input" {
            continue;
        }
        let last = path.rest.last().unwrap_or(&path.root);
        let alias = import.r#as.as_ref().map_or(last.as_str(), Span::text);
        // Without `as` too: the engine and OPA then disagree what the name means.
        let is_named = import.r#as.is_some() || !path.rest.is_empty();
        if is_named && (alias == "input" || alias == "data") {
            let message = format!("an import may not be named `{alias}`");
            report(findings, at, Code::RegoParseError, message, None);
        } else if let Some(line) = lines.get(alias) {
            let message = format!("`{alias}` is imported in line {line} already");
            let hint = Some("give one of them another name with `as`");
            report(findings, at, Code::RegoCompileError, message, hint);
        } else if !used.contains(alias) && alias != "input" && alias != "data" {
            let message = format!("the import `{alias}` is not used");
            findings.warning(at.source.file(), at.line, at.col, message);
        }
        lines.insert(alias.to_owned(), at.line);
    }
}

fn import_text(import: &Import) -> String {
    let path = static_part(&import.refr);
    path.map(|path| super::super::names::dotted(&path)).unwrap_or_default()
}
