//! A loaded bundle: one revision of the policy, ready to decide.

use std::sync::Arc;

use super::decide::{Outcome, Reason, Verdict};
use super::{Files, Findings, cedar, rego};
use crate::request::AccessRequest;

/// Policies of one revision, compiled. Immutable, shared, swapped whole.
#[derive(Debug)]
pub struct Bundle {
    pub revision: Revision,
    cedar: Option<cedar::Policies>,
    rego: Option<rego::Policies>,
}

/// Which policy decided: stands in every record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// The URL without credentials, or the directory.
    pub repository: Arc<str>,
    pub reference: Arc<str>,
    pub commit: Arc<str>,
    /// `sha256:…` of the files' byte form.
    pub digest: Arc<str>,
    /// The key that signed the commit, once signatures are verified.
    pub signer: Option<Arc<str>>,
}

/// What a bundle holds, for status and for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Languages {
    pub cedar_policies: usize,
    pub rego_rules: usize,
}

/// The facts of a connection as the engines want them, each built at most once per connection.
#[derive(Debug, Default)]
pub struct EngineValues {
    pub(super) cedar: cedar::ConnectionValues,
    pub(super) rego: rego::ConnectionValues,
}

impl Bundle {
    /// Parses, validates and compiles a bundle on the calling thread's stack.
    ///
    /// # Errors
    /// Findings of which at least one is an error.
    pub fn load(files: &Files, revision: Revision) -> Result<(Self, Findings), Findings> {
        let _ = (files, revision);
        Err(Findings::default())
    }

    #[must_use]
    pub fn languages(&self) -> Languages {
        Languages::default()
    }

    /// With both languages every engine must allow: error before forbid before allow.
    pub(super) fn evaluate(&self, request: &AccessRequest) -> Verdict {
        let _ = (request, &self.cedar, &self.rego);
        Verdict::of(Outcome::Deny, Reason::NotAllowed)
    }
}
