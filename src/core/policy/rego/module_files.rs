//! Which files of a bundle are Rego modules, and which of them are tests.

pub(super) fn is_rego(file: &str) -> bool {
    file.strip_suffix(".rego").is_some_and(|stem| !stem.is_empty() && !stem.ends_with('/'))
}

pub(super) fn is_test(file: &str) -> bool {
    file.ends_with("_test.rego")
}
