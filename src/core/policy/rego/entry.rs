//! The entry point: which rules a decision evaluates, settled when the bundle is loaded.

use std::sync::Arc;

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref, Rule};

use super::super::{Findings, PolicyRef};
use super::index::{Index, constant};
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
    /// The rules that make an object key by key, `allow["allowed"] := …`; then the rule has no
    /// definitions of its own.
    pub(super) parts: Vec<Self>,
    /// `deny contains …`: the definitions add to it. A complete rule may have a set for its value too.
    pub(super) is_set: bool,
    pub(super) plan: Plan,
}

/// How the value of a rule is found.
#[derive(Debug)]
pub(super) enum Plan {
    /// Definition by definition, those alone that a request may match.
    Indexed {
        index: Index,
        /// Where no definition holds.
        otherwise: Value,
    },
    /// All definitions at once, for this reason.
    Whole(&'static str),
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
    let is_package = rules.iter().any(|(rule, definitions)| {
        rule.starts_with(&path)
            && definitions.iter().any(|d| super::rules::package_of(&d.module) == path)
    });
    if is_package {
        let Some(allow) = allow_rule(&path.push("allow"), rules) else {
            let message = format!("the entry point `{path}` is a package without a rule `allow`");
            findings.error("", 0, 0, message);
            return None;
        };
        check_allow(&allow, rules, findings)?;
        let deny = entry_rule(&path.push("deny"), rules);
        if let Some(deny) = &deny {
            check_kind(deny, rules, &[Kind::Complete, Kind::Set], findings)?;
        }
        return Some(Entry { allow, deny });
    }
    let Some(allow) = allow_rule(&path, rules) else {
        let message = format!("the entry point `{path}` is no package and no rule of the bundle");
        findings.error("", 0, 0, message);
        return None;
    };
    check_allow(&allow, rules, findings)?;
    Some(Entry { allow, deny: None })
}

/// The rules that an entry point evaluates by name, whether it is a package or a rule.
pub(super) fn named_by(entrypoint: &str) -> [RulePath; 3] {
    let path = parse(entrypoint);
    [path.push("allow"), path.push("deny"), path]
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

/// The rule at a path, or the rules that make an object there.
fn allow_rule(path: &RulePath, rules: &Rules) -> Option<EntryRule> {
    if rules.contains(path) {
        return entry_rule(path, rules);
    }
    let is_inside = |d: &Definition| {
        let package = super::rules::package_of(&d.module);
        package.0.len() < path.0.len() && path.starts_with(&package)
    };
    let below = rules
        .iter()
        .filter(|(rule, definitions)| rule.starts_with(path) && definitions.iter().any(is_inside));
    let parts: Vec<EntryRule> = below.filter_map(|(rule, _)| entry_rule(rule, rules)).collect();
    (!parts.is_empty()).then(|| EntryRule {
        path: path.clone(),
        name: path.to_string(),
        definitions: Vec::new(),
        parts,
        is_set: false,
        plan: Plan::Whole("it is made of parts"),
    })
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
    let definitions: Vec<EntryDefinition> = definitions.collect();
    let plan = plan(path, &definitions, rules);
    let is_set = all.iter().any(|d| d.kind == Kind::Set);
    Some(EntryRule {
        path: path.clone(),
        name: path.to_string(),
        definitions,
        parts: Vec::new(),
        is_set,
        plan,
    })
}

fn plan(path: &RulePath, definitions: &[EntryDefinition], rules: &Rules) -> Plan {
    let all = rules.at(path);
    let above = (1..path.0.len())
        .any(|length| rules.contains(&RulePath(path.0.get(..length).unwrap_or_default().to_vec())));
    if all.iter().all(|d| d.kind == Kind::Default) {
        Plan::Whole("it is a default alone")
    } else if all.iter().any(|d| d.kind == Kind::Object) {
        Plan::Whole("its keys are computed")
    } else if above || rules.below(path).next().is_some() {
        Plan::Whole("other rules make parts of its value")
    } else if all.iter().any(is_default_of_part) {
        Plan::Whole("the engine has its own way with the default of a part")
    } else if let Some(otherwise) = otherwise(all) {
        Plan::Indexed { index: Index::of(definitions, rules), otherwise }
    } else {
        Plan::Whole("its default is computed")
    }
}

/// `default allow["allowed"] := …`: regorus 0.14.1 forgets it.
fn is_default_of_part(definition: &Definition) -> bool {
    match &*definition.rule {
        Rule::Default { refr, .. } => !matches!(&**refr, Expr::Var { .. }),
        Rule::Spec { .. } => false,
    }
}

/// The value where no definition holds: the default, an empty set, or none.
fn otherwise(all: &[Definition]) -> Option<Value> {
    if all.iter().any(|d| d.kind == Kind::Set) {
        return Some(Value::new_set());
    }
    let default = all.iter().find_map(|d| match &*d.rule {
        Rule::Default { value, .. } => Some(value),
        Rule::Spec { .. } => None,
    });
    default.map_or(Some(Value::Undefined), |value| constant(value))
}

fn check_allow(allow: &EntryRule, rules: &Rules, findings: &mut Findings) -> Option<()> {
    for part in &allow.parts {
        check_kind(part, rules, &[Kind::Complete, Kind::Object, Kind::Set], findings)?;
    }
    check_kind(allow, rules, &[Kind::Complete, Kind::Object], findings)
}

fn check_kind(
    rule: &EntryRule,
    rules: &Rules,
    wanted: &[Kind],
    findings: &mut Findings,
) -> Option<()> {
    let is_wanted = |d: &&Definition| d.kind == Kind::Default || wanted.contains(&d.kind);
    let Some(other) = rules.at(&rule.path).iter().find(|d| !is_wanted(d)) else { return Some(()) };
    let hint = match wanted {
        [_, _, _] => "a value",
        wanted if wanted.contains(&Kind::Set) => "a boolean or a set",
        _ => "one value",
    };
    let message = format!("the entry rule `{}` must have {hint}", rule.path);
    findings.error(&other.file, other.line, other.column, message);
    None
}
