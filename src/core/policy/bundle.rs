//! A loaded bundle: one revision of the policy, ready to decide.

use std::sync::Arc;

use cedar_policy::{PolicySet, Schema};
use serde::{Deserialize, Serialize};

use super::decide::{Outcome, Verdict};
use super::explanation::{Asked, Node};
use super::item::Item;
use super::manifest::{Language, Manifest};
use super::{Files, Finding, Findings, PolicyWay, Reason, cedar, rego};
use crate::request::AccessRequest;

/// More findings than this help nobody; the first are kept.
const MAX_FINDINGS: usize = 500;
/// The line that a finding quotes is cut after this many characters.
const MAX_QUOTED_CHARACTERS: usize = 200;

/// Policies of one revision, compiled. Immutable, shared, swapped whole.
#[derive(Debug)]
pub struct Bundle {
    pub revision: Revision,
    /// The services that the bundle is meant for; empty means any.
    pub audience: Vec<String>,
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

/// What becomes of a call of a builtin whose arguments set its cost, beyond its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnboundedBuiltins {
    /// It is an error.
    #[default]
    Refuse,
    /// The bound is far wider, and decisions run where they can be given up.
    Pool,
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
        let mut findings = Findings::default();
        let manifest = Manifest::read(files, &mut findings);
        let present = languages_of(files);
        manifest.check(&present, &mut findings);
        let mut cedar = None;
        let mut rego = None;
        for language in &present {
            match language {
                Language::Cedar => cedar = cedar::Policies::load(files, &mut findings),
                Language::Rego => {
                    let entrypoint = manifest.entrypoint(&mut findings);
                    rego = rego::Policies::load(files, &entrypoint, &mut findings);
                }
            }
        }
        let is_whole = present.iter().all(|language| match language {
            Language::Cedar => cedar.is_some(),
            Language::Rego => rego.is_some(),
        });
        if !findings.has_errors() && (present.is_empty() || !is_whole) {
            findings.error("", 0, 0, "the bundle holds no policy");
        }
        finish(&mut findings, files);
        if findings.has_errors() {
            return Err(findings);
        }
        Ok((Self { revision, audience: manifest.audience, cedar, rego }, findings))
    }

    #[must_use]
    pub fn languages(&self) -> Languages {
        Languages {
            cedar_policies: self.cedar.as_ref().map_or(0, cedar::Policies::count),
            rego_rules: self.rego.as_ref().map_or(0, rego::Policies::rule_count),
        }
    }

    /// How each policy is evaluated.
    #[must_use]
    pub fn ways(&self) -> Vec<PolicyWay> {
        let cedar = self.cedar.iter().flat_map(cedar::Policies::ways);
        cedar.chain(self.rego.iter().flat_map(rego::Policies::ways)).collect()
    }

    /// Gives builtins room beyond what a serving thread has time for; the bundle then
    /// [`needs_pool`](Self::needs_pool). Cedar has no such builtins.
    #[must_use]
    pub fn widened(mut self, builtins: UnboundedBuiltins) -> Self {
        if let (UnboundedBuiltins::Pool, Some(rego)) = (builtins, &mut self.rego) {
            rego.widen();
        }
        self
    }

    /// Whether deciding may overrun, and so is not for a serving thread.
    #[must_use]
    pub fn needs_pool(&self) -> bool {
        self.rego.as_ref().is_some_and(rego::Policies::is_wide)
    }

    /// The Cedar policies and their schema, for tests that enter below `AccessRequest`.
    #[must_use]
    pub fn cedar_policy_set(&self) -> Option<(&PolicySet, &Schema)> {
        self.cedar.as_ref().map(cedar::Policies::set_and_schema)
    }

    /// What the policies and their data say, item by item.
    pub(super) fn items(&self, files: &Files) -> Vec<Item> {
        let cedar = self.cedar.iter().flat_map(|policies| policies.items(files));
        cedar.chain(self.rego.iter().flat_map(|policies| policies.items(files))).collect()
    }

    /// The policies of each language, for what looks into them.
    pub(super) const fn engines(&self) -> (Option<&cedar::Policies>, Option<&rego::Policies>) {
        (self.cedar.as_ref(), self.rego.as_ref())
    }

    pub(super) fn evaluate(&self, request: &AccessRequest) -> Verdict {
        let cedar = self.cedar.as_ref().map(|policies| policies.evaluate(request));
        let rego = self.rego.as_ref().map(|policies| policies.evaluate(request));
        joined(cedar, rego)
    }

    /// The meaning of the bundle, which [`evaluate`](Self::evaluate) must equal: every policy of it,
    /// without an index.
    pub(super) fn evaluate_whole(&self, request: &AccessRequest) -> Verdict {
        let cedar = self.cedar.as_ref().map(|policies| policies.evaluate_whole(request));
        let rego = self.rego.as_ref().map(|policies| {
            policies.evaluate_whole(policies.whole_document(request), request.time)
        });
        joined(cedar, rego)
    }

    /// The Rego part alone.
    pub(super) fn rego(&self) -> Option<&rego::Policies> {
        self.rego.as_ref()
    }

    /// What the engines say of a decision that was made under this bundle.
    pub(super) fn explained(&self, asked: Asked<'_>) -> Vec<Node> {
        let cedar = self.cedar.iter().flat_map(|policies| policies.explain(asked));
        let rego = self.rego.iter().flat_map(|policies| policies.explain(asked));
        cedar.chain(rego).collect()
    }
}

/// Adds what is wrong with the test modules of a bundle, which is not what keeps it from being loaded.
pub fn check_tests(files: &Files, findings: &mut Findings) {
    let mut of_tests = Findings::default();
    rego::check_tests(files, &mut of_tests);
    let is_known = |new: &Finding| {
        let place = |f: &Finding| (f.severity, f.file.clone(), f.line, f.column, f.message.clone());
        findings.0.iter().any(|known| place(known) == place(new))
    };
    of_tests.0.retain(|new| !is_known(new));
    findings.0.append(&mut of_tests.0);
    finish(findings, files);
}

/// With both languages every engine must allow: error before forbid before allow.
fn joined(cedar: Option<Verdict>, rego: Option<Verdict>) -> Verdict {
    match (cedar, rego) {
        (Some(cedar), Some(rego)) => both(cedar, rego),
        (Some(verdict), None) | (None, Some(verdict)) => verdict,
        (None, None) => Verdict::of(Outcome::Deny, Reason::NotAllowed),
    }
}

/// The stricter of two verdicts decides; the policies of the other stand beside it where it says the
/// same, and so do all errors.
fn both(a: Verdict, b: Verdict) -> Verdict {
    let (mut decides, other) = if rank(&a) <= rank(&b) { (a, b) } else { (b, a) };
    if decides.outcome == other.outcome {
        decides.policies.extend(other.policies);
        let (ours, theirs) = (&mut decides.effects, other.effects);
        ours.http_status = ours.http_status.or(theirs.http_status);
        ours.body = ours.body.take().or(theirs.body);
        ours.headers.extend(theirs.headers);
        ours.response_headers_to_add.extend(theirs.response_headers_to_add);
        ours.request_headers_to_remove.extend(theirs.request_headers_to_remove);
    }
    decides.errors.extend(other.errors);
    decides
}

/// Error before forbid before anything that merely does not allow, before allow.
fn rank(verdict: &Verdict) -> u8 {
    match (verdict.outcome, verdict.reason) {
        (Outcome::Error, _) => 0,
        (Outcome::Deny, Reason::Forbidden) => 1,
        (Outcome::Deny, _) => 2,
        (Outcome::Allow, _) => 3,
    }
}

fn languages_of(files: &Files) -> Vec<Language> {
    let has = |is_policy: fn(&str) -> bool| files.iter().any(|(file, _)| is_policy(file));
    let cedar = has(cedar::is_policy).then_some(Language::Cedar);
    let rego = has(|file| file.ends_with(".rego") && !file.ends_with("_test.rego"));
    cedar.into_iter().chain(rego.then_some(Language::Rego)).collect()
}

/// Bounds the list and quotes the line that each finding is about.
fn finish(findings: &mut Findings, files: &Files) {
    // The engines report in orders of their own; people read from the top.
    findings.0.sort_by(|a, b| {
        (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
    });
    findings.0.dedup();
    let total = findings.0.len();
    if total > MAX_FINDINGS {
        // Errors first, so that the cut hides none behind warnings.
        findings.0.sort_by_key(|finding| finding.severity);
        findings.0.truncate(MAX_FINDINGS);
        findings.error("", 0, 0, format!("{} more findings are left out", total - MAX_FINDINGS));
    }
    for finding in findings.0.iter_mut().filter(|finding| finding.line > 0) {
        let index = usize::try_from(finding.line).unwrap_or(usize::MAX) - 1;
        let text = files.get(&finding.file).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let line = text.and_then(|text| text.lines().nth(index));
        finding.source = line.map(|line| line.chars().take(MAX_QUOTED_CHARACTERS).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{EvaluationError, PolicyRef};

    fn verdict(outcome: Outcome, reason: Reason, id: &str) -> Verdict {
        let policy = PolicyRef { id: id.into(), file: id.into(), line: 1 };
        let errors = match outcome {
            Outcome::Error => vec![EvaluationError { policy: None, text: id.to_owned() }],
            Outcome::Allow | Outcome::Deny => Vec::new(),
        };
        Verdict { policies: vec![policy], errors, ..Verdict::of(outcome, reason) }
    }

    #[test]
    fn every_engine_must_allow_and_the_strictest_decides() {
        let error = (Outcome::Error, Reason::PolicyError);
        let forbid = (Outcome::Deny, Reason::Forbidden);
        let nothing = (Outcome::Deny, Reason::NotAllowed);
        let allow = (Outcome::Allow, Reason::Allowed);
        for (a, b, expected, policies) in [
            (allow, allow, allow, "ab"),
            (allow, nothing, nothing, "b"),
            (allow, forbid, forbid, "b"),
            (nothing, forbid, forbid, "ba"),
            (forbid, error, error, "b"),
            (allow, error, error, "b"),
            (error, error, error, "ab"),
        ] {
            for is_swapped in [false, true] {
                let (a, b) = (verdict(a.0, a.1, "a"), verdict(b.0, b.1, "b"));
                let seen = if is_swapped { both(b, a) } else { both(a, b) };
                assert_eq!((seen.outcome, seen.reason), expected);
                let mut ids: Vec<_> = seen.policies.iter().map(|policy| &*policy.id).collect();
                ids.sort_unstable();
                let mut expected_ids: Vec<_> =
                    policies.split("").filter(|id| !id.is_empty()).collect();
                expected_ids.sort_unstable();
                assert_eq!(ids, expected_ids);
                assert_eq!(seen.errors.is_empty(), expected.0 != Outcome::Error);
            }
        }
    }
}
