//! The trial of a loaded bundle: a handful of requests are decided and timed before it serves any.

use std::time::Duration;

use portreeve_core::policy::{
    Bundle, Decision, Files, Finding, Findings, Outcome, Reason, Severity, decide,
};
use portreeve_core::request::{AccessRequest, DocumentError};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

use super::worker;

/// Of a processor, for one decision: an ordinary one takes microseconds, and what takes this long
/// stops a serving thread. By the time that the thread itself ran, so that a busy machine does not
/// refuse a bundle.
const TRIAL_BUDGET: Duration = Duration::from_millis(50);
/// Of a bundle that is not decided on serving threads.
const POOL_TRIAL_BUDGET: Duration = Duration::from_millis(400);
/// As many headers as a listener lets through, by default.
const MANY_HEADERS: usize = 100;
/// A long path and a long header; a listener refuses longer heads.
const LONG_TEXT_BYTES: usize = 8 << 10;

/// Decides the samples; findings of which one is an error refuse the bundle.
pub(super) fn run(files: &Files, bundle: &Bundle, findings: &mut Findings) {
    let only = only_policy(files);
    let budget = if bundle.needs_pool() { POOL_TRIAL_BUDGET } else { TRIAL_BUDGET };
    for (name, sample) in samples() {
        let request = match sample {
            Ok(request) => request,
            Err(error) => {
                return findings.error("", 0, 0, format!("there is no sample request: {error}"));
            }
        };
        worker::tell_trial(only, name);
        let before = processor_time();
        let decision = decide(bundle, &request);
        let taken = processor_time().saturating_sub(before);
        let found = judge(name, &decision, taken, budget, only);
        let is_error = found.as_ref().is_some_and(|found| found.severity == Severity::Error);
        // One policy that fails fails for every sample.
        if let Some(found) = found
            && !findings.0.iter().any(|known| is_same(known, &found))
        {
            findings.0.push(found);
        }
        if is_error {
            return;
        }
    }
}

/// The one file that is meant where a decision names none; empty where there are several.
fn only_policy(files: &Files) -> &str {
    let is_policy = |file: &&str| {
        (file.ends_with(".rego") && !file.ends_with("_test.rego")) || file.ends_with(".cedar")
    };
    let mut policies = files.iter().map(|(file, _)| file).filter(is_policy);
    match (policies.next(), policies.next()) {
        (Some(only), None) => only,
        _ => "",
    }
}

/// What a decision says about the bundle.
fn judge(
    name: &str,
    decision: &Decision,
    taken: Duration,
    budget: Duration,
    only: &str,
) -> Option<Finding> {
    let place = decision.errors.iter().find_map(|error| error.policy.as_ref());
    let place = place.or_else(|| decision.policies.first());
    let (file, line) = place.map_or((only, 0), |policy| (&*policy.file, policy.line));
    let rule = place.map(|policy| format!(": `{}`", policy.id)).unwrap_or_default();
    if decision.reason == Reason::EnginePanic {
        let message = format!("a trial request ({name}) made the policy engine panic{rule}");
        return Some(Finding::new(Severity::Error, file, line, 0, message));
    }
    if taken > budget {
        let limit = budget.as_millis();
        let message = format!("deciding a trial request ({name}) takes more than {limit} ms{rule}");
        let mut finding = Finding::new(Severity::Error, file, line, 0, message);
        finding.hint = Some("look values up by their keys instead of in nested loops".to_owned());
        return Some(finding);
    }
    if decision.outcome != Outcome::Error {
        return None;
    }
    let reason = decision.reason.as_str();
    let message = format!("a trial request ({name}) ended in an error: {reason}{rule}");
    let mut finding = Finding::new(Severity::Warning, file, line, 0, message);
    finding.hint = decision.errors.first().map(|error| error.text.clone());
    Some(finding)
}

/// The same place and severity: the samples differ, what is wrong does not.
fn is_same(a: &Finding, b: &Finding) -> bool {
    (a.severity, &a.file, a.line, &a.hint) == (b.severity, &b.file, b.line, &b.hint)
}

/// Requests as different callers send them, with what each is called.
fn samples() -> [(&'static str, Result<AccessRequest, DocumentError>); 5] {
    let text = "x".repeat(LONG_TEXT_BYTES);
    let many: Map<String, Value> =
        (0..MANY_HEADERS).map(|n| (format!("x-sample-{n}"), format!("value {n}").into())).collect();
    let described = |mut description: Value, source: Option<&str>| {
        if let (Some(source), Value::Object(fields)) = (source, &mut description) {
            fields.insert("source".to_owned(), source.into());
        }
        AccessRequest::described(&description)
    };
    let caller = Some("spiffe://sample.invalid/caller");
    let ordinary = json!({
        "path": "/sample?key=value",
        "headers": { "user-agent": "portreeve-check" },
    });
    [
        ("ordinary", described(ordinary.clone(), caller)),
        ("no identity", described(ordinary, None)),
        ("long path", described(json!({ "path": format!("/{}", "a/".repeat(500)) }), caller)),
        ("many headers", described(json!({ "path": "/sample", "headers": many }), caller)),
        (
            "long header",
            described(json!({ "path": "/sample", "headers": { "x-sample": text } }), caller),
        ),
    ]
}

fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use portreeve_core::policy::Revision;

    use super::*;

    /// The findings of the trial of one policy.
    fn tried(file: &str, policy: &str) -> String {
        let mut files = Files::default();
        files.insert(file, policy.as_bytes().to_vec()).unwrap();
        let (bundle, mut findings) = Bundle::load(&files, Revision::default()).unwrap();
        findings.0.clear();
        run(&files, &bundle, &mut findings);
        findings.to_string()
    }

    #[test]
    fn every_sample_is_a_valid_request() {
        for (name, sample) in samples() {
            assert!(sample.is_ok(), "{name}: {sample:?}");
        }
    }

    #[test]
    fn a_policy_that_decides_says_nothing_and_one_that_fails_warns_once() {
        assert_eq!(tried("p.cedar", "permit(principal, action, resource);"), "");
        let broken = "package authz\n\nallow if count(input.request.path) / 0 == 1\n";
        assert_eq!(
            tried("p.rego", broken),
            "p.rego:3: warning: a trial request (ordinary) ended in an error: policy_error: \
             `data.authz.allow`"
        );
    }

    #[test]
    fn what_only_some_requests_meet_is_met() {
        let nobody =
            "package authz\n\nallow if {\n\tinput.source.spiffe_id == null\n\t1 / 0 == 1\n}\n";
        let seen = tried("p.rego", nobody);
        assert!(seen.contains("(no identity)"), "{seen}");
    }

    #[test]
    fn a_decision_beyond_the_budget_is_an_error_at_its_rule() {
        let slow = "package authz\n\nn := numbers.range(1, 1000)\n\nallow if {\n\tsome a in n\n\t\
                    some b in n\n\tsome c in n\n\ta + b + c < 0\n}\n";
        let seen = tried("p.rego", slow);
        assert!(seen.starts_with("p.rego:"), "{seen}");
        assert!(
            seen.contains("error: deciding a trial request (ordinary) takes more than"),
            "{seen}"
        );
    }
}
