//! The check worker: one candidate's bytes in, a verdict out.
//!
//! It reads the bytes, then gives up every right, then loads them on a stack as large as a serving
//! thread's and tries some requests. Whatever a hostile bundle does to it ends here.

use portreeve_core::policy::{Bundle, Files, Findings, PolicyWay, Revision, UnboundedBuiltins};

use super::protocol::{CheckRequest, Checked, Counts, Job, bounded, bounded_findings};
use super::{LoaderError, disk, sandbox, trial, worker};

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
    let attempt = worker::on_serving_stack(move || {
        load_and_try(&files, revision, assignment.unbounded_builtins)
    });
    worker::reply(&match attempt {
        Ok(Ok(Passed { counts, findings, .. })) => {
            let findings = bounded_findings(findings);
            Checked::Ok { digest: request.digest, findings, counts }
        }
        Ok(Err(findings)) => rejected("the bundle does not load", findings),
        Err(panic @ LoaderError::Panicked(_)) => rejected(&panic.to_string(), Findings::default()),
        Err(error) => return Err(error),
    })
}

/// Loads a bundle and decides the trial requests: what a candidate has to pass.
///
/// # Errors
/// Findings of which at least one is an error.
pub fn load_and_try(
    files: &Files,
    revision: Revision,
    builtins: UnboundedBuiltins,
) -> Result<Passed, Findings> {
    let (bundle, mut findings) = Bundle::load(files, revision)?;
    let bundle = bundle.widened(builtins);
    let languages = bundle.languages();
    trial::run(files, &bundle, &mut findings);
    if findings.has_errors() {
        return Err(findings);
    }
    let counts =
        Counts { cedar_policies: languages.cedar_policies, rego_rules: languages.rego_rules };
    Ok(Passed { counts, ways: bundle.ways(), findings })
}

/// What is known of a bundle that loads and decides in time.
#[derive(Debug)]
pub struct Passed {
    pub counts: Counts,
    pub ways: Vec<PolicyWay>,
    /// Warnings.
    pub findings: Findings,
}

fn rejected(text: &str, findings: Findings) -> Checked {
    Checked::Rejected { text: bounded(text), findings: bounded_findings(findings) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_loaded_and_tried_and_a_broken_one_is_not() {
        let check = |policy: &str| {
            let mut files = Files::default();
            files.insert("p.cedar", policy.as_bytes().to_vec()).unwrap();
            load_and_try(&files, Revision::default(), UnboundedBuiltins::Refuse)
        };
        let passed = check("permit(principal, action, resource);").unwrap();
        assert_eq!(passed.counts, Counts { cedar_policies: 1, rego_rules: 0 });
        assert!(check("permit(").unwrap_err().has_errors());
    }
}
