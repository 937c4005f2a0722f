//! Canaries in every place where callers put secrets; they may appear in no output (invariant 10).

use crate::support::*;

const CANARY: &str = "canary-5f1c2e";

/// Raises an error whose text quotes the header that it looked at.
const QUOTING: Policies = Policies::Files(&[
    (
        ".manifest",
        r#"{"roots": ["authz"], "metadata": {"portreeve": {"entrypoint": "data.authz"}}}"#,
    ),
    (
        "authz/a.rego",
        "package authz\n\nallow if not bad\n\n\
         bad if input.request.path == \"/denied\"\n\n\
         bad if {\n\tinput.request.path == \"/error\"\n\
         \tto_number(input.request.headers.authorization[0]) > 1\n}\n",
    ),
]);

#[test]
fn no_secret_of_a_request_appears_in_log_traces_metrics_or_answers() {
    let traced = Collected::default();
    let subscriber =
        tracing_subscriber::fmt().with_env_filter("trace").with_writer(traced.clone()).finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    let told = run_traced(&dispatch, async {
        let scene = Setup { policies: QUOTING, ..Setup::default() }.start().await;
        let mut told = String::new();
        let secret = format!("Bearer {CANARY}");
        let cookie = format!("session={CANARY}");
        let headers = [
            ("authorization", &*secret),
            ("cookie", &*cookie),
            ("proxy-authorization", &*secret),
            ("x-api-key", CANARY),
            ("x-own-header", CANARY),
        ];
        for alpn in ["h1", "h2"] {
            let mut web = scene.client(WEB, alpn).await;
            for (path, status) in
                [("/allowed", 200), ("/denied", 403), ("/error", 503), ("/a%2fb", 400)]
            {
                let target = format!("{path}?access_token={CANARY}&token={CANARY}&x={CANARY}");
                let asked = request("POST", &target, &headers, body(CANARY));
                let answer = web.ask(asked).await;
                assert_eq!(answer.status.as_u16(), status, "{path}");
                told.push_str(&format!("{:?} {}", answer.headers, answer.text()));
            }
        }
        let mut raw = scene.raw(WEB).await;
        raw.write(format!("GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization : {CANARY}\r\n\r\n"))
            .await;
        told.push_str(&raw.read_all().await);
        told.push_str(&scene.sidecar.report().metrics(None).1);
        told.push_str(&format!("{:?}", scene.sidecar));
        told.push_str(&serde_json::to_string(&scene.sidecar.report().status()).unwrap());
        assert!(scene.upstream.seen().iter().all(|seen| seen.header("cookie") == [&*cookie]));
        let log = scene.finish().await;
        assert_eq!(decisions(&log).len(), 6);
        told.push_str(&serde_json::to_string(&log).unwrap());
        told
    });
    check_clean("an output", &told);
    let traced = traced.text();
    assert!(traced.contains("accepting connections"), "nothing was traced");
    for line in traced.lines() {
        check_clean("a trace", line);
    }
}

#[track_caller]
fn check_clean(what: &str, text: &str) {
    if let Some(at) = text.find(CANARY) {
        let from = text.floor_char_boundary(at.saturating_sub(300));
        let to = text.ceil_char_boundary((at + 100).min(text.len()));
        assert!(!text.contains(CANARY), "{what} holds a secret: …{}…", &text[from..to]);
    }
}
