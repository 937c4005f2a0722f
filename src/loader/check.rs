//! The check worker: one candidate's bytes in, a verdict out.
//!
//! It reads the bytes, then gives up every right, then loads them on a stack as large as a serving
//! thread's and tries one request. Whatever a hostile bundle does to it ends here.

use portreeve_core::policy::{
    Bundle, Files, Finding, Findings, Outcome, Reason, Revision, Severity, decide,
};
use portreeve_core::request::{AccessRequest, DocumentError};

use super::protocol::{CheckRequest, Checked, Counts, Job, bounded, bounded_findings};
use super::{LoaderError, SERVING_STACK_BYTES, disk, sandbox, worker};

/// Runs a check worker: one job on standard input, one answer on standard output.
///
/// # Errors
/// It cannot confine itself, or the keeper breaks the protocol.
pub fn main() -> Result<(), LoaderError> {
    let Job { assignment, request } = worker::job::<CheckRequest>()?;
    let files = disk::read_bundle(&assignment.store, request.place, &request.digest);
    sandbox::confine_check(assignment.limits)?;
    let files = match files {
        Ok(files) => files,
        Err(error) => return worker::reply(&rejected(&error.to_string(), Findings::default())),
    };
    let revision = Revision {
        repository: assignment.source.repository().into(),
        reference: assignment.source.reference().into(),
        commit: request.commit.as_str().into(),
        digest: request.digest.as_str().into(),
        signer: None,
    };
    let attempt = std::thread::Builder::new()
        .name("policy-check".to_owned())
        .stack_size(SERVING_STACK_BYTES)
        .spawn(move || load_and_try(&files, revision))
        .map_err(|source| LoaderError::Start { program: "policy-check".into(), source })?;
    worker::reply(&match attempt.join() {
        Ok(Ok((counts, findings))) => {
            let findings = bounded_findings(findings);
            Checked::Ok { digest: request.digest, findings, counts }
        }
        Ok(Err(findings)) => rejected("the bundle does not load", findings),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            let text = format!("the check panicked: {}", text.unwrap_or("no message"));
            rejected(&text, Findings::default())
        }
    })
}

fn load_and_try(files: &Files, revision: Revision) -> Verdict {
    let (bundle, mut findings) = Bundle::load(files, revision)?;
    let languages = bundle.languages();
    let request = match sample() {
        Ok(request) => request,
        Err(error) => {
            findings.error("", 0, 0, format!("there is no sample request: {error}"));
            return Err(findings);
        }
    };
    let decision = decide(&bundle, &request);
    if decision.reason == Reason::EnginePanic {
        findings.error("", 0, 0, "a trial request made the policy engine panic");
        return Err(findings);
    }
    if decision.outcome == Outcome::Error {
        let reason = decision.reason.as_str();
        let message = format!("a trial request ended in an error: {reason}");
        let mut finding = Finding::new(Severity::Warning, "", 0, 0, message);
        finding.hint = decision.errors.first().map(|error| error.text.clone());
        findings.0.push(finding);
    }
    let counts =
        Counts { cedar_policies: languages.cedar_policies, rego_rules: languages.rego_rules };
    Ok((counts, findings))
}

/// The request that a candidate is tried with: ordinary, and nobody's.
fn sample() -> Result<AccessRequest, DocumentError> {
    AccessRequest::described(&serde_json::json!({
        "source": "spiffe://sample.invalid/caller",
        "path": "/sample?key=value",
        "headers": { "user-agent": "portreeve-check" },
    }))
}

type Verdict = Result<(Counts, Findings), Findings>;

fn rejected(text: &str, findings: Findings) -> Checked {
    Checked::Rejected { text: bounded(text), findings: bounded_findings(findings) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_a_valid_request() {
        assert_eq!(sample().unwrap().head.path(), "/sample");
    }

    #[test]
    fn a_bundle_is_loaded_and_tried_and_a_broken_one_is_not() {
        let check = |policy: &str| {
            let mut files = Files::default();
            files.insert("p.cedar", policy.as_bytes().to_vec()).unwrap();
            load_and_try(&files, Revision::default())
        };
        let (counts, _) = check("permit(principal, action, resource);").unwrap();
        assert_eq!(counts, Counts { cedar_policies: 1, rego_rules: 0 });
        assert!(check("permit(").unwrap_err().has_errors());
    }
}
