//! `.manifest`: OPA's file, in which `metadata.portreeve` says what we need to know beside it.

use serde::Deserialize;
use serde_json::Value;

use super::{Files, Findings, json, text};

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
                findings.error(FILE, 0, 0, error.to_string());
                return Self::default();
            }
        };
        let ours = manifest.get("metadata").and_then(|metadata| metadata.get("portreeve"));
        match ours.map(Self::deserialize) {
            None => Self::default(),
            Some(Ok(manifest)) => manifest,
            Some(Err(error)) => {
                findings.error(FILE, 0, 0, format!("`metadata.portreeve`: {error}"));
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
            findings.error(FILE, 0, 0, message);
        }
        format!("data.{path}")
    }

    /// What the manifest claims must be what is there.
    pub(super) fn check(&self, present: &[Language], findings: &mut Findings) {
        let mut claimed = self.languages.clone();
        claimed.sort();
        claimed.dedup();
        if !claimed.is_empty() && claimed != present {
            let message =
                format!("`languages` says {}, and the files are {}", list(&claimed), list(present));
            findings.error(FILE, 0, 0, message);
        }
        if self.entrypoint.is_some() && !present.contains(&Language::Rego) {
            findings.error(FILE, 0, 0, "`entrypoint` is for Rego, and there is no `*.rego` file");
        }
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
mod tests {
    use super::*;

    /// The entry point and the findings that a manifest leads to.
    fn read(manifest: &str, present: &[Language]) -> String {
        let mut files = Files::default();
        files.insert(FILE, manifest.as_bytes().to_vec()).unwrap();
        let mut findings = Findings::default();
        let manifest = Manifest::read(&files, &mut findings);
        manifest.check(present, &mut findings);
        let entrypoint = manifest.entrypoint(&mut findings);
        if findings.0.is_empty() { entrypoint } else { findings.to_string() }
    }

    #[track_caller]
    fn check(ours: &str, expected: &str) {
        let manifest = format!(r#"{{"roots": ["a"], "metadata": {{"portreeve": {ours}}}}}"#);
        assert_eq!(read(&manifest, &[Language::Rego]), expected, "{ours}");
    }

    #[test]
    fn an_entry_point_has_one_form() {
        check("{}", "data.authz");
        for written in ["data.shop.authz", "shop.authz", "shop/authz"] {
            check(&format!(r#"{{"entrypoint": "{written}"}}"#), "data.shop.authz");
        }
        let refused = "is not of the form `data.authz`";
        for written in ["", "a..b", "a b", "data.", "a[0]"] {
            let message = format!(".manifest: error: entry point `{written}` {refused}");
            check(&format!(r#"{{"entrypoint": "{written}"}}"#), &message);
        }
    }

    #[test]
    fn an_unknown_key_of_ours_is_refused_and_opas_keys_are_not_ours() {
        check(
            r#"{"entry": "a"}"#,
            ".manifest: error: `metadata.portreeve`: unknown field `entry`, expected one of \
             `entrypoint`, `audience`, `languages`",
        );
        let opa = r#"{"rego_version": 1, "revision": "a", "metadata": {"other": 1}}"#;
        assert_eq!(read(opa, &[Language::Rego]), "data.authz");
        assert_eq!(
            read("{", &[Language::Rego]),
            ".manifest:1:1: error: EOF while parsing an object"
        );
    }

    #[test]
    fn the_claimed_languages_are_those_of_the_files() {
        check(r#"{"languages": ["rego"]}"#, "data.authz");
        check(
            r#"{"languages": ["rego", "cedar"]}"#,
            ".manifest: error: `languages` says cedar and rego, and the files are rego",
        );
        let entrypoint = r#"{"metadata": {"portreeve": {"entrypoint": "authz"}}}"#;
        let seen = read(entrypoint, &[Language::Cedar]);
        assert!(seen.contains("there is no `*.rego` file"), "{seen}");
    }
}
