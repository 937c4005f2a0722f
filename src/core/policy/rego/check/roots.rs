//! Where packages and data lie: inside the roots of the manifest, and apart from each other.

use std::collections::BTreeSet;

use regorus::Value;

use super::super::super::manifest::{FILE, Roots};
use super::super::super::{Finding, Findings, Severity};
use super::super::paths::RulePath;
use super::super::rules::{Definition, Rules, package_of};

/// The interpreter writes the results of rules into a copy of the objects on the way to their
/// package: 1,000 keys beside it cost 0.1 ms for each decision.
const MAX_SHARED_KEYS: usize = 200;

/// Reports packages and data outside the manifest's roots, and bulk data on the way to a package.
pub(in super::super) fn check_roots(
    rules: &Rules,
    data: &Value,
    roots: &Roots,
    findings: &mut Findings,
) {
    let mut seen = BTreeSet::new();
    for first in rules.iter().filter_map(|(_, definitions)| definitions.first()) {
        let package = package_of(&first.module);
        if !roots.contain(&package.0) {
            let message = format!("package `{package}` is outside the roots of `{FILE}`");
            add(findings, Severity::Error, first, message, None);
        } else if seen.insert(package.clone())
            && let Some((keys, at)) = shared(data, &package)
        {
            let message = format!(
                "each decision copies the {keys} keys of `{at}`, in which package `{package}` lies"
            );
            let hint = "move the data to a directory that no package shares";
            add(findings, Severity::Warning, first, message, Some(hint));
        }
    }
    check_data(data, &mut RulePath::default(), roots, findings);
}

/// The largest object on the way to a package, if it is too large.
fn shared(data: &Value, package: &RulePath) -> Option<(usize, RulePath)> {
    let mut largest = (MAX_SHARED_KEYS, None);
    let mut value = data;
    for depth in 0..=package.0.len() {
        let Ok(object) = value.as_object() else { break };
        if object.len() > largest.0 {
            largest =
                (object.len(), Some(RulePath(package.0.iter().take(depth).cloned().collect())));
        }
        let Some(next) = package.0.get(depth) else { break };
        let Some(next) = object.get(&Value::from(next.as_str())) else { break };
        value = next;
    }
    largest.1.map(|path| (largest.0, path))
}

/// Descends only where a root lies below: as deep as the roots are long.
fn check_data(data: &Value, path: &mut RulePath, roots: &Roots, findings: &mut Findings) {
    if roots.contain(&path.0) {
        return;
    }
    if let Ok(object) = data.as_object()
        && roots.lie_below(&path.0)
    {
        for (key, value) in object.iter() {
            path.0.push(key.as_string().map(|key| key.to_string()).unwrap_or_default());
            check_data(value, path, roots, findings);
            path.0.pop();
        }
    } else {
        let (line, column) = roots.place;
        let message = format!("the roots do not contain the data at `{path}`");
        findings.error(FILE, line, column, message);
    }
}

fn add(
    findings: &mut Findings,
    severity: Severity,
    at: &Definition,
    message: String,
    hint: Option<&str>,
) {
    let place = &at.module.package.span;
    let finding = Finding::new(severity, &at.file, place.line, place.col, message);
    findings.0.push(Finding { hint: hint.map(str::to_owned), ..finding });
}
