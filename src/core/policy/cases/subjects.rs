//! What the tests of a bundle ask, apart from what they expect: for whoever looks at the asking alone.

use cedar_policy::{Entities, Request};

use super::super::{Bundle, Files};
use super::{CEDAR_TESTS_SUFFIX, MAX_TEST_FILE_BYTES, REQUEST_CASES_SUFFIX};
use super::{cedar_tests, request_cases};
use crate::request::AccessRequest;

/// What one case asks.
#[derive(Debug)]
pub(in super::super) enum Subject {
    /// Of one of our own cases.
    Request(Box<AccessRequest>),
    /// Of a test in Cedar's format.
    Cedar(Box<Request>, Box<Entities>),
}

/// What the selected cases ask, those in Rego left out; what cannot be read asks nothing.
pub(in super::super) fn subjects<'a>(
    files: &'a Files,
    bundle: &'a Bundle,
    is_selected: &'a dyn Fn(&str) -> bool,
) -> impl Iterator<Item = Subject> + 'a {
    files.iter().flat_map(move |(path, content)| {
        let text = std::str::from_utf8(content).unwrap_or_default();
        if text.len() > MAX_TEST_FILE_BYTES {
            return Vec::new();
        }
        if path.ends_with(REQUEST_CASES_SUFFIX) {
            let requests = request_cases::requests(text, is_selected).into_iter();
            requests.map(|request| Subject::Request(Box::new(request))).collect()
        } else if path.ends_with(CEDAR_TESTS_SUFFIX) {
            let asked = cedar_tests::requests(path, text, files, bundle, is_selected).into_iter();
            asked.map(|(request, e)| Subject::Cedar(Box::new(request), Box::new(e))).collect()
        } else {
            Vec::new()
        }
    })
}
