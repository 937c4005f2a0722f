use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::policy::{Outcome, Reason};
use portreeve_core::request::Enforcement;

use super::*;

const OPEN: Option<&str> = Some(
    "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
);

fn sample() -> Metrics {
    let metrics = Metrics::new();
    let listener = metrics.listener("public", Enforcement::Shadow, ["orders", "default"]);
    listener.decided(Outcome::Deny, Reason::Forbidden, Duration::from_micros(7));
    listener.decided(Outcome::Deny, Reason::Forbidden, Duration::from_secs(1));
    listener.answered(Some(0), http::StatusCode::FORBIDDEN);
    listener.answered(None, http::StatusCode::BAD_REQUEST);
    metrics.refused("request.host");
    metrics.exchange_ended("policy.revoked");
    metrics.handshake("ok", "");
    metrics.identity_updated(Timestamp::from_unix_seconds(10), Timestamp::from_unix_seconds(20));
    metrics.jwt_bundles_updated(Some(Timestamp::from_unix_seconds(30)));
    metrics.activation("ok", "activate");
    metrics.log_lost("queue_full", 3);
    metrics
}

#[track_caller]
fn check_has(body: &str, lines: &[&str]) {
    for line in lines {
        assert!(body.lines().any(|l| l == *line), "no `{line}` in\n{body}");
    }
}

#[test]
fn a_connection_is_counted_in_the_one_state_that_it_is_in() {
    let metrics = Metrics::new();
    let check = |handshaking: u8, serving: u8, draining: u8| {
        let lines = [("handshaking", handshaking), ("serving", serving), ("draining", draining)]
            .map(|(state, count)| format!("portreeve_connections{{state=\"{state}\"}} {count}"));
        check_has(&metrics.encode(None).1, &lines.each_ref().map(String::as_str));
    };
    let (mut first, second) = (metrics.connection(), metrics.connection());
    check(2, 0, 0);
    first.turn(ConnectionState::Serving);
    check(1, 1, 0);
    first.turn(ConnectionState::Draining);
    first.turn(ConnectionState::Draining);
    check(1, 0, 1);
    drop((first, second));
    check(0, 0, 0);
}

#[test]
fn what_happened_is_counted_under_its_labels() {
    let (content_type, body) = sample().encode(None);
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    check_has(
        &body,
        &[
            "# TYPE portreeve_decisions_total counter",
            "# HELP portreeve_decisions_total Decisions by outcome and reason.",
            r#"portreeve_decisions_total{listener="public",outcome="deny",reason="forbidden"} 2"#,
            r#"portreeve_decisions_total{listener="public",outcome="allow",reason="allowed"} 0"#,
            r#"portreeve_requests_total{listener="public",route="orders",code_class="4xx"} 1"#,
            r#"portreeve_requests_total{listener="public",route="none",code_class="4xx"} 1"#,
            r#"portreeve_request_refusals_total{reason="request.host"} 1"#,
            r#"portreeve_exchanges_ended_total{reason="policy.revoked"} 1"#,
            r#"portreeve_handshakes_total{result="ok",reason=""} 1"#,
            r#"portreeve_mode{listener="public",mode="shadow"} 1"#,
            "portreeve_svid_not_after_timestamp_seconds 20",
            "portreeve_identity_last_update_timestamp_seconds 10",
            "portreeve_jwt_bundles_last_update_timestamp_seconds 30",
            r#"portreeve_policy_activations_total{result="ok",stage="activate"} 1"#,
            r#"portreeve_log_lost_total{cause="queue_full"} 3"#,
            "portreeve_log_queue_length 0",
            concat!("portreeve_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ],
    );
}

#[test]
fn the_histogram_is_cumulative_and_ends_in_infinity() {
    let (_, body) = sample().encode(None);
    check_has(
        &body,
        &[
            r#"portreeve_decision_duration_seconds_bucket{le="0.000005"} 0"#,
            r#"portreeve_decision_duration_seconds_bucket{le="0.00001"} 1"#,
            r#"portreeve_decision_duration_seconds_bucket{le="0.05"} 1"#,
            r#"portreeve_decision_duration_seconds_bucket{le="+Inf"} 2"#,
            "portreeve_decision_duration_seconds_count 2",
            "portreeve_decision_duration_seconds_sum 1.000007",
        ],
    );
}

#[test]
fn the_format_follows_the_accept_header() {
    let (content_type, body) = sample().encode(OPEN);
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    check_has(&body, &["# TYPE portreeve_decisions counter", "# EOF"]);
    for accept in [None, Some("*/*"), Some("text/plain"), Some("application/openmetrics-text;q=0")]
    {
        let (content_type, body) = sample().encode(accept);
        assert!(content_type.starts_with("text/plain"), "{accept:?}");
        assert!(!body.contains("# EOF") && !body.contains("# UNIT"), "{accept:?}");
    }
}

#[test]
fn only_the_active_revision_is_told() {
    let metrics = Metrics::new();
    metrics.policy_activated("4f1c");
    metrics.policy_activated("9a0b");
    let (_, body) = metrics.encode(None);
    check_has(&body, &[r#"portreeve_policy_info{revision="9a0b"} 1"#]);
    assert!(!body.contains("4f1c"));
}

#[test]
fn requests_make_no_new_series() {
    let metrics = Metrics::new();
    let listener = metrics.listener("public", Enforcement::Enforce, ["orders", "default"]);
    let series = || metrics.encode(None).1.lines().count();
    let before = series();
    for index in 0..1_000 {
        let status = http::StatusCode::from_u16(100 + index % 900).unwrap();
        listener.answered(Some(usize::from(index)), status);
        listener.decided(Outcome::Allow, Reason::Allowed, Duration::ZERO);
    }
    assert_eq!(series(), before);
}

#[test]
fn a_level_is_a_word_or_a_list_of_modules() {
    for level in ["info", "debug", "off", "info,portreeve::store=debug", "portreeve=trace"] {
        assert!(check_level(level).is_ok(), "{level}");
    }
    for level in ["", " ", "loud", "portreeve", "portreeve=loud", "info,=,=x=y"] {
        assert!(check_level(level).is_err(), "{level}");
    }
}
