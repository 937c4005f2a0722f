//! The entry point: which rules a decision evaluates, settled when the bundle is loaded.

use std::sync::Arc;

use regorus::unstable::{Module, Ref, Rule};

use super::super::{Findings, PolicyRef};
use super::paths::RulePath;
use super::rules::{Definition, Kind, Rules};

/// `allow` and, in the package form, an optional `deny`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) allow: EntryRule,
    pub(super) deny: Option<EntryRule>,
}

/// A rule that is evaluated by name, and its definitions one by one.
#[derive(Debug)]
pub(super) struct EntryRule {
    pub(super) path: RulePath,
    /// As the engine wants it.
    pub(super) name: String,
    /// Those that are not the default; the default alone where there is no other.
    pub(super) definitions: Vec<EntryDefinition>,
}

#[derive(Debug)]
pub(super) struct EntryDefinition {
    pub(super) policy: PolicyRef,
    pub(super) module: Ref<Module>,
    pub(super) rule: Ref<Rule>,
}

/// Finds the entry point in the bundle; a package is tried before a rule.
pub(super) fn resolve(entrypoint: &str, rules: &Rules, findings: &mut Findings) -> Option<Entry> {
    let path = parse(entrypoint);
    let is_rule = rules.contains(&path);
    let is_package = rules.iter().any(|(rule, definitions)| {
        rule.starts_with(&path)
            && definitions.iter().any(|d| super::rules::package_of(&d.module) == path)
    });
    if is_package {
        let Some(allow) = entry_rule(&path.push("allow"), rules) else {
            let message = format!("the entry point `{path}` is a package without a rule `allow`");
            findings.error("", 0, 0, message);
            return None;
        };
        check_kind(&allow, rules, &[Kind::Complete], findings)?;
        let deny = entry_rule(&path.push("deny"), rules);
        if let Some(deny) = &deny {
            check_kind(deny, rules, &[Kind::Complete, Kind::Set], findings)?;
        }
        return Some(Entry { allow, deny });
    }
    if !is_rule {
        let message = format!("the entry point `{path}` is no package and no rule of the bundle");
        findings.error("", 0, 0, message);
        return None;
    }
    let allow = entry_rule(&path, rules)?;
    check_kind(&allow, rules, &[Kind::Complete], findings)?;
    Some(Entry { allow, deny: None })
}

/// `data.authz.allow`, `authz.allow` and OPA's `authz/allow` are one.
fn parse(entrypoint: &str) -> RulePath {
    let parts = entrypoint.split(['.', '/']).filter(|part| !part.is_empty());
    let mut parts: Vec<String> = parts.map(str::to_owned).collect();
    if parts.first().is_some_and(|first| first == "data") {
        parts.remove(0);
    }
    RulePath(parts)
}

fn entry_rule(path: &RulePath, rules: &Rules) -> Option<EntryRule> {
    let all = rules.at(path);
    let mut definitions: Vec<&Definition> =
        all.iter().filter(|d| d.kind != Kind::Default).collect();
    if definitions.is_empty() {
        definitions = all.iter().collect();
    }
    if definitions.is_empty() {
        return None;
    }
    let id: Arc<str> = path.to_string().into();
    let definitions = definitions.into_iter().map(|definition| EntryDefinition {
        policy: PolicyRef {
            id: id.clone(),
            file: definition.file.as_str().into(),
            line: definition.line,
        },
        module: definition.module.clone(),
        rule: definition.rule.clone(),
    });
    Some(EntryRule {
        path: path.clone(),
        name: path.to_string(),
        definitions: definitions.collect(),
    })
}

fn check_kind(
    rule: &EntryRule,
    rules: &Rules,
    wanted: &[Kind],
    findings: &mut Findings,
) -> Option<()> {
    let is_wanted = |d: &&Definition| d.kind == Kind::Default || wanted.contains(&d.kind);
    let Some(other) = rules.at(&rule.path).iter().find(|d| !is_wanted(d)) else { return Some(()) };
    let hint = if wanted.contains(&Kind::Set) { "a boolean or a set" } else { "one value" };
    let message = format!("the entry rule `{}` must have {hint}", rule.path);
    findings.error(&other.file, other.line, other.column, message);
    None
}
