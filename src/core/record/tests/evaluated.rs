//! Records of decisions that the engines made: what they must not say, and that they repeat.

use serde_json::json;

use super::{Decided, line, request};
use crate::Timestamp;
use crate::policy::{Bundle, Decision, Files, Outcome, decide};
use crate::request::{AccessRequest, Body};

fn bundle(file: &str, text: &str) -> Bundle {
    let mut files = Files::default();
    files.insert(file, text.as_bytes().to_vec()).unwrap();
    let manifest = r#"{"metadata": {"portreeve": {"entrypoint": "p"}}}"#;
    if file.ends_with(".rego") {
        files.insert(".manifest", manifest.as_bytes().to_vec()).unwrap();
    }
    let loaded = Bundle::load(&files, super::revision());
    loaded.unwrap_or_else(|findings| panic!("{findings}\n{text}")).0
}

/// Everything that leaves the process of a decision: its record, and what the response is made of.
fn leaving(request: &AccessRequest, decision: &Decision) -> String {
    format!("{}{:?}", line(request, Decided::from(decision)), decision.effects)
}

/// What a policy may take apart before the engine quotes it.
const SECRETS: [(&str, &str); 6] = [
    ("authorization", "Basic YWxpY2U6Y2FuYXJ5LXdvbmRlcmxhbmQ="),
    ("cookie", "session=Canary\"Session\\Value; b=2"),
    ("x-api-key", "canary-key-Ab12"),
    ("x-address", "canary.host.internal"),
    ("x-list", "canary first,canary second"),
    ("x-json", "{\"canary\": [\"inner canary\"]}"),
];

#[track_caller]
fn check_masked(expression: &str) {
    check_masked_with(expression, "");
}

/// What is read comes through `object.get` and `plain`, whose results have no static type: what has one
/// is refused before it can fail.
#[track_caller]
fn check_masked_with(expression: &str, rules: &str) {
    let module = format!(
        "package p\nh := object.get(input, [\"request\", \"headers\"], {{}})\n\
         e := object.get(input, [\"attributes\", \"request\", \"http\"], {{}})\n\
         basic := base64.decode(split(e.headers.authorization, \" \")[1])\n\
         plain(x) := x\n\
         default allow := false\nallow if {{ x := {expression}; x != null }}\n{rules}"
    );
    let mut request = request("GET /a?token=canary-token", &SECRETS);
    request.body = Body::Parsed(json!({ "canary body": ["body canary"] }));
    let decision = decide(&bundle("p.rego", &module), &request);
    assert_eq!(decision.outcome, Outcome::Error, "{expression} gives no error");
    let seen = leaving(&request, &decision);
    let lower = seen.to_lowercase();
    for secret in
        ["canary", "ywxpy2u6", "wonderland", "alice", "session\\", "first", "inner", "y2fuyxj5"]
    {
        assert!(
            !lower.contains(secret),
            "{expression} leaks `{secret}`: {seen}\n{:?}",
            decision.errors
        );
    }
}

#[test]
fn an_error_in_rego_says_nothing_of_what_the_request_held() {
    for secret in [
        "e.headers.authorization",
        "e.headers.cookie",
        "e.headers[\"x-api-key\"]",
        "e.headers[\"x-address\"]",
        "e.headers[\"x-list\"]",
        "e.headers[\"x-json\"]",
        "input.parsed_query.token[0]",
        "basic",
        "split(basic, \":\")[1]",
        "upper(e.headers[\"x-api-key\"])",
        "substring(e.headers.cookie, 3, 9)",
        "base64.encode(e.headers[\"x-api-key\"])",
        "sprintf(\"%v of %v\", [basic, h.cookie])",
    ] {
        for builtin in [
            "to_number(S)",
            "S + 1",
            "abs(S)",
            "count(1 + S)",
            "startswith(plain([S]), \"a\")",
            "concat(S, [1])",
            "object.get(S, \"a\", 1)",
            "json.unmarshal(concat(\"\", [\"{\", S]))",
            "net.cidr_contains(S, \"10.0.0.1\")",
            "regex.match(concat(\"\", [\"(\", S]), \"a\")",
            "time.parse_rfc3339_ns(S)",
            "time.parse_duration_ns(S)",
            "semver.compare(S, \"1.0.0\")",
            "hex.decode(S)",
            "sum([S])",
            "{k: v | some v in [1, 2]; k := S}",
            "object.union({}, S)",
            "max(S + 0)",
            "bits.and(S, 1)",
        ] {
            check_masked(&builtin.replace('S', &format!("plain({secret})")));
        }
    }
    check_masked("startswith(h.cookie, \"a\")");
    check_masked("lower(input.request.body)");
    check_masked("plain(input.request.query) + 1");
    check_masked("upper(plain(input))");
}

/// Two definitions that give different values are an error whose text names both.
#[test]
fn a_conflict_says_nothing_of_the_values() {
    check_masked_with("f(1)", "f(_) := e.headers.cookie\nf(_) := basic");
    check_masked_with("two", "two := e.headers.cookie\ntwo := basic");
}

/// A record is a function of the request and the policy: the clock stands in neither.
#[track_caller]
fn check_repeats(file: &str, text: &str, at: Timestamp) {
    let bundle = bundle(file, text);
    let hour = 3_600_000_000;
    let decided_at = |time: Timestamp| {
        let mut request = request("GET /orders/17", &[]);
        request.time = time;
        let decision = decide(&bundle, &request);
        (decision.outcome, leaving(&request, &decision))
    };
    let first = decided_at(at);
    let later = decided_at(Timestamp::from_unix_micros(at.unix_micros() + hour));
    let again = decided_at(at);
    assert_eq!(first, again);
    assert_eq!(first.0, Outcome::Allow);
    assert_eq!(later.0, Outcome::Deny, "an hour later the policy says no");
    // A thread that has decided nothing yet, and one under a fresh copy of the bundle.
    let elsewhere = std::thread::scope(|scope| scope.spawn(|| decided_at(at)).join().unwrap());
    assert_eq!(first, elsewhere);
}

#[test]
fn one_request_decided_again_an_hour_later_gives_the_same_bytes() {
    let at = Timestamp::from_unix_micros(1_800_000_000_012_345);
    let rego = "package p\n\
        allow := {\"allowed\": time.now_ns() < 1800000060000000000,\n\
            \"headers\": {\"x-now\": sprintf(\"%d\", [time.now_ns()])}}";
    check_repeats("p.rego", rego, at);
    let cedar = "permit(principal, action, resource) when \
        { context.now < datetime(\"2027-01-15T08:01:00Z\") };";
    check_repeats("p.cedar", cedar, at);
}
