//! `.manifest`: OPA's file, in which `metadata.portreeve` says what we need to know beside it.

use serde::Deserialize;
use serde_json::Value;

use super::item::{Item, ItemKind};
use super::{Files, Finding, Findings, Severity, json, places, text};

pub(super) const FILE: &str = ".manifest";
/// A manifest is written by people.
const MAX_BYTES: usize = 64 << 10;
const DEFAULT_PACKAGE: &str = "data.authz";

/// What a bundle says about itself; everything is optional.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The Rego package, or rule, that decides.
    entrypoint: Option<String>,
    /// The services that the bundle is meant for; empty means any.
    #[serde(default)]
    pub(super) audience: Vec<String>,
    #[serde(default)]
    languages: Vec<Language>,
    /// The file itself, for places in it.
    #[serde(skip)]
    text: String,
}

/// The packages and data that a bundle may hold, by the parts of their paths; OPA's `roots`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Roots {
    parts: Option<Vec<Vec<String>>>,
    /// Line and column of them.
    pub(super) place: (u32, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    Cedar,
    Rego,
}

impl Manifest {
    /// Reads our part; what is wrong with it is a finding, and the default is returned.
    pub(super) fn read(files: &Files, findings: &mut Findings) -> Self {
        let Some(bytes) = files.get(FILE) else { return Self::default() };
        if bytes.len() > MAX_BYTES {
            findings.error(FILE, 0, 0, format!("the file is larger than {MAX_BYTES} bytes"));
            return Self::default();
        }
        let Some(text) = text::text(FILE, bytes, findings) else { return Self::default() };
        let mut values = json::MAX_VALUES;
        if !json::check(FILE, text, &mut values, findings) {
            return Self::default();
        }
        let manifest: Value = match serde_json::from_str(text) {
            Ok(manifest) => manifest,
            Err(error) => {
                let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
                let column = u32::try_from(error.column()).unwrap_or(u32::MAX);
                findings.error(FILE, line, column, error.to_string());
                return Self::default();
            }
        };
        check_versions(&manifest, text, findings);
        check_roots(&manifest, text, findings);
        let ours = manifest.get("metadata").and_then(|metadata| metadata.get("portreeve"));
        match ours.map(Self::deserialize) {
            None => Self::default(),
            Some(Ok(manifest)) => Self { text: text.to_owned(), ..manifest },
            Some(Err(error)) => {
                let message = format!("`metadata.portreeve`: {error}");
                error_at(findings, text, &our_path(ours.and_then(first_wrong)), message);
                Self::default()
            }
        }
    }

    /// The entry point as `data.…`.
    pub(super) fn entrypoint(&self, findings: &mut Findings) -> String {
        let Some(written) = &self.entrypoint else { return DEFAULT_PACKAGE.to_owned() };
        let path = written.replace('/', ".");
        let path = path.strip_prefix("data.").unwrap_or(&path);
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !path.split('.').all(is_name) {
            let message = format!("entry point `{written}` is not of the form `data.authz`");
            error_at(findings, &self.text, &our_path(Some("entrypoint")), message);
        }
        format!("data.{path}")
    }

    /// What a change of decides: entry point, audience and roots, by name and place.
    pub(super) fn items(&self, files: &Files) -> Vec<Item> {
        let item = |name: &str, path: &[&str], meaning: String| {
            let (line, _) = places::in_json(&self.text, path);
            let item = Item::plain(ItemKind::Manifest, name, (FILE, line), meaning.clone());
            Item { text: meaning, ..item }
        };
        let mut audience = self.audience.clone();
        audience.sort();
        let entrypoint = self.entrypoint(&mut Findings::default());
        let roots = Roots::of(files).parts.unwrap_or_else(|| vec![Vec::new()]);
        let mut roots: Vec<String> = roots.iter().map(|root| root.join("/")).collect();
        roots.sort();
        vec![
            item("entrypoint", &our_path(Some("entrypoint")), entrypoint),
            item("audience", &our_path(Some("audience")), audience.join("\n")),
            item("roots", &["roots"], roots.join("\n")),
        ]
    }

    /// What the manifest claims must be what is there.
    pub(super) fn check(&self, present: &[Language], findings: &mut Findings) {
        let mut claimed = self.languages.clone();
        claimed.sort();
        claimed.dedup();
        if !claimed.is_empty() && claimed != present {
            let message =
                format!("`languages` says {}, and the files are {}", list(&claimed), list(present));
            error_at(findings, &self.text, &our_path(Some("languages")), message);
        }
        if self.entrypoint.is_some() && !present.contains(&Language::Rego) {
            let message = "`entrypoint` is for Rego, and there is no `*.rego` file".to_owned();
            error_at(findings, &self.text, &our_path(Some("entrypoint")), message);
        }
    }
}

/// The first key whose value, or name, is not one of ours.
fn first_wrong(ours: &Value) -> Option<&str> {
    let is_wrong = |(key, value): &(&String, &Value)| {
        let alone: Value = [((*key).clone(), (*value).clone())].into_iter().collect();
        Manifest::deserialize(&alone).is_err()
    };
    ours.as_object()?.iter().find(is_wrong).map(|(key, _)| key.as_str())
}

fn our_path(key: Option<&str>) -> Vec<&str> {
    ["metadata", "portreeve"].into_iter().chain(key).collect()
}

fn error_at(findings: &mut Findings, text: &str, path: &[&str], message: String) {
    let (line, column) = places::in_json(text, path);
    findings.error(FILE, line, column, message);
}

/// OPA's `rego_version` and `file_rego_versions`: 1, or nothing.
fn check_versions(manifest: &Value, text: &str, findings: &mut Findings) {
    let mut versions: Vec<(Vec<&str>, String, &Value)> = Vec::new();
    let all = "rego_version";
    versions.extend(manifest.get(all).map(|version| (vec![all], all.to_owned(), version)));
    let by_file = manifest.get("file_rego_versions").and_then(Value::as_object);
    for (pattern, version) in by_file.into_iter().flatten() {
        let path = vec!["file_rego_versions", pattern];
        versions.push((path, format!("file_rego_versions[\"{pattern}\"]"), version));
    }
    versions.retain(|(_, _, version)| version.as_u64() != Some(1));
    for (path, key, version) in versions {
        let message = format!("`{key}` is {version}: only Rego v1 is supported");
        let (line, column) = places::in_json(text, &path);
        let mut finding = Finding::new(Severity::Error, FILE, line, column, message);
        finding.hint = Some("rewrite the files with `opa fmt --write --rego-v1`".to_owned());
        findings.0.push(finding);
    }
}

/// A root inside another would leave open whose the data is.
fn check_roots(manifest: &Value, text: &str, findings: &mut Findings) {
    let Some(roots) = manifest.get("roots").filter(|roots| !roots.is_null()) else { return };
    let Ok(written) = Vec::<String>::deserialize(roots) else {
        return error_at(findings, text, &["roots"], "`roots` is not a list of strings".to_owned());
    };
    let mut roots: Vec<_> = written.iter().map(|root| (parts(root), root)).collect();
    roots.sort();
    for pair in roots.windows(2) {
        if let [(outer, outer_text), (inner, inner_text)] = pair
            && inner.starts_with(outer)
        {
            let message = format!("root `{inner_text}` lies inside root `{outer_text}`");
            error_at(findings, text, &["roots"], message);
        }
    }
}

fn parts(root: &str) -> Vec<String> {
    root.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

impl Roots {
    /// What is wrong with them was reported when the manifest was read.
    pub(super) fn of(files: &Files) -> Self {
        let bytes = files.get(FILE).filter(|bytes| bytes.len() <= MAX_BYTES);
        let manifest: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(bytes).ok());
        let roots =
            manifest.and_then(|manifest| Vec::<String>::deserialize(manifest.get("roots")?).ok());
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
        let parts = roots.map(|roots| roots.iter().map(|root| parts(root)).collect());
        Self { parts, place: places::in_json(text, &["roots"]) }
    }

    /// Whether `path` lies in a root.
    pub(super) fn contain(&self, path: &[String]) -> bool {
        self.parts.as_ref().is_none_or(|roots| roots.iter().any(|root| path.starts_with(root)))
    }

    /// Whether a root lies below `path`.
    pub(super) fn lie_below(&self, path: &[String]) -> bool {
        self.parts.as_ref().is_some_and(|roots| roots.iter().any(|root| root.starts_with(path)))
    }
}

fn list(languages: &[Language]) -> String {
    let names: Vec<_> = languages
        .iter()
        .map(|language| match language {
            Language::Cedar => "cedar",
            Language::Rego => "rego",
        })
        .collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" and ") }
}

#[cfg(test)]
mod tests;
