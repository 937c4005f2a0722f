//! A folder may hold one bundle or several: each folder with a `.manifest` is a bundle.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Files, FilesError, Finding, Findings, Severity};

const MANIFEST: &str = ".manifest";

/// One bundle of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFiles {
    /// The bundle's folder with its slash, to put before its paths; empty for the folder itself.
    pub prefix: String,
    pub files: Files,
}

/// Splits a folder into its bundles: the outermost folders that have a `.manifest`, or all of it
/// where there is none.
///
/// # Errors
/// A policy or a test stands outside of every bundle: it would never be loaded.
pub fn bundles(files: &Files) -> Result<Vec<BundleFiles>, Findings> {
    let roots = roots(files);
    if roots.is_empty() || roots.contains("") {
        return Ok(vec![BundleFiles { prefix: String::new(), files: files.clone() }]);
    }
    let mut bundles: BTreeMap<&str, Files> = BTreeMap::new();
    let mut findings = Findings::default();
    for (path, content) in files.iter() {
        let root = roots.iter().copied().find(|root| path.starts_with(root));
        let Some(root) = root else {
            if is_policy(path) {
                let message = "the file stands outside of every bundle of this folder";
                let mut finding = Finding::new(Severity::Error, path, 0, 0, message.to_owned());
                finding.hint = Some("a bundle is a folder with a `.manifest`".to_owned());
                findings.0.push(finding);
            }
            continue;
        };
        let inner = path.strip_prefix(root).unwrap_or(path);
        let added = bundles.entry(root).or_default().insert(inner, content.to_vec());
        added.unwrap_or_else(|error: FilesError| findings.error(path, 0, 0, error.to_string()));
    }
    if findings.has_errors() {
        return Err(findings);
    }
    let bundle = |(prefix, files): (&str, Files)| BundleFiles { prefix: prefix.to_owned(), files };
    Ok(bundles.into_iter().map(bundle).collect())
}

/// The folders of manifests, with their slash, without those that stand inside another.
fn roots(files: &Files) -> BTreeSet<&str> {
    let folders = files.iter().filter_map(|(path, _)| path.strip_suffix(MANIFEST));
    let folders = folders.filter(|folder| folder.is_empty() || folder.ends_with('/'));
    let mut roots = BTreeSet::new();
    // Sorted, an outer folder comes before what stands in it.
    for folder in folders.collect::<BTreeSet<_>>() {
        if !roots.iter().any(|root: &&str| folder.starts_with(root)) {
            roots.insert(folder);
        }
    }
    roots
}

fn is_policy(path: &str) -> bool {
    let suffixes = [".rego", ".cedar", ".cedarschema", super::CEDAR_TESTS_SUFFIX];
    suffixes.iter().chain([&super::REQUEST_CASES_SUFFIX]).any(|suffix| path.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(paths: &[&str], expected: Result<&[(&str, usize)], &str>) {
        let mut files = Files::default();
        for path in paths {
            files.insert(path, Vec::new()).unwrap();
        }
        match (bundles(&files), expected) {
            (Ok(seen), Ok(expected)) => {
                let seen: Vec<_> =
                    seen.iter().map(|b| (b.prefix.as_str(), b.files.len())).collect();
                assert_eq!(seen, expected);
            }
            (Err(findings), Err(file)) => assert_eq!(findings.0[0].file, file),
            (seen, expected) => panic!("{seen:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_folder_without_manifests_or_with_its_own_is_one_bundle() {
        check(&["a.rego", "b/c.rego"], Ok(&[("", 2)]));
        check(&[".manifest", "a/.manifest", "a/b.rego"], Ok(&[("", 3)]));
        check(&[], Ok(&[("", 0)]));
    }

    #[test]
    fn each_folder_with_a_manifest_is_a_bundle() {
        check(
            &["README.md", "a/.manifest", "a/x.cedar", "a/sub/.manifest", "b/c/.manifest"],
            Ok(&[("a/", 3), ("b/c/", 1)]),
        );
        check(&["a-b/.manifest", "a/.manifest"], Ok(&[("a-b/", 1), ("a/", 1)]));
    }

    #[test]
    fn a_policy_outside_of_every_bundle_is_an_error() {
        check(&["a/.manifest", "b/x.rego"], Err("b/x.rego"));
        check(&["a/.manifest", "stray_test.yaml"], Err("stray_test.yaml"));
    }
}
