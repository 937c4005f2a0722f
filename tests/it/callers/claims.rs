//! What policy, upstream and record learn of a caller that came with a token.

use serde_json::json;

use super::*;

/// Whoever came with a token is known by its claims; no header tells.
const REGO: Policies = Policies::Files(&[
    (
        ".manifest",
        r#"{"roots": ["authz"], "metadata": {"portreeve": {"entrypoint": "data.authz.allow"}}}"#,
    ),
    (
        "authz/a.rego",
        "package authz\n\ndefault allow := false\n\n\
         allow if {\n\tinput.source.jwt.claims.sub == input.source.spiffe_id\n\
         \t\"orders\" in input.source.jwt.claims.aud\n\
         \tnot input.request.headers.authorization\n\
         \tendswith(input.source.path, \"/web\")\n}\n",
    ),
]);

const CEDAR: Policies = Policies::Files(&[(
    "a.cedar",
    "permit(principal == Workload::\"spiffe://demo.test/ns/shop/sa/web\", action, resource)
     when { context has jwt && context.jwt.claims.hasTag(\"aud\")
            && context.jwt.claims.getTag(\"aud\").contains(\"orders\") };",
)]);

#[test]
fn a_rego_policy_sees_the_claims_and_not_the_token() {
    check_decided(REGO);
}

#[test]
fn a_cedar_policy_sees_the_claims() {
    check_decided(CEDAR);
}

/// The workload `web` may, by a token; `batch` may not, nor may `web` by its certificate.
fn check_decided(policies: Policies) {
    run(async {
        let scene = scene("either", policies).await;
        for alpn in ["h1", "h2"] {
            let mut client = connect(&scene, None, alpn).await;
            let (web, batch) = (bearer(&scene, WEB), bearer(&scene, BATCH));
            assert_eq!(ask(&mut client, &[&web]).await.status.as_u16(), 200);
            assert_eq!(ask(&mut client, &[&batch]).await.status.as_u16(), 403);
            let mut client = connect(&scene, Some(WEB), alpn).await;
            assert_eq!(ask(&mut client, &[]).await.status.as_u16(), 403);
        }
        let (log, _, seen) = scene.finish_with().await;
        for (record, caller) in decisions(&log).iter().zip([WEB, BATCH, WEB, WEB, BATCH, WEB]) {
            assert_eq!(text(record, "/source/spiffe_id"), caller);
        }
        let first = decisions(&log)[0];
        assert_eq!(first["source"]["certificate"], json!(null));
        assert!(first["masked"].as_array().unwrap().contains(&json!("/source/jwt")), "{first}");
        assert_eq!(seen.len(), 2);
        for arrived in &seen {
            assert_eq!(arrived.header("x-spiffe-id"), [WEB]);
            assert!(arrived.header("authorization").is_empty());
        }
    });
}

#[test]
fn a_token_of_another_workload_than_the_certificates_is_told_with_both_ids() {
    run(async {
        let scene = scene("both", ALLOW_ALL).await;
        let mut client = connect(&scene, Some(WEB), "h2").await;
        let answer = ask(&mut client, &[&bearer(&scene, BATCH)]).await;
        check_refused(&answer);
        // The certificate's own token is taken on the same connection.
        assert_eq!(ask(&mut client, &[&bearer(&scene, WEB)]).await.status.as_u16(), 200);
        drop(client);
        let log = scene.finish().await;
        assert_eq!(reason_of(&log, &answer), "jwt.other_workload");
        let record = of_kind(&log, "refused")[0];
        assert_eq!(text(record, "/refused/claimed/0/spiffe_id"), BATCH);
        let detail = text(record, "/refused/detail");
        assert_eq!(detail, format!("the certificate is of `{WEB}`, the JWT-SVID of `{BATCH}`"));
        let allowed = decisions(&log)[0];
        assert!(allowed["source"]["certificate"]["serial"].is_string());
    });
}

#[test]
fn one_connection_may_carry_the_requests_of_several_callers() {
    run(async {
        let scene = scene("jwt", ALLOW_ALL).await;
        // What the certificate says of the connection is not said of the token's workload.
        let mut client = connect(&scene, Some(PAYMENTS), "h2").await;
        let tokens = [WEB, BATCH, WEB, BATCH].map(|caller| bearer(&scene, caller));
        for token in &tokens {
            assert_eq!(ask(&mut client, &[token]).await.status.as_u16(), 200);
        }
        drop(client);
        let (log, _, seen) = scene.finish_with().await;
        for (arrived, caller) in seen.iter().zip([WEB, BATCH, WEB, BATCH]) {
            assert_eq!(arrived.header("x-spiffe-id"), [caller]);
        }
        let certificates =
            decisions(&log).iter().filter(|r| !r["source"]["certificate"].is_null()).count();
        assert_eq!(certificates, 0);
    });
}

#[test]
fn a_blocked_caller_is_refused_at_its_next_request_whatever_it_proved_before() {
    run(async {
        let scene = scene("jwt", ALLOW_ALL).await;
        let mut client = connect(&scene, None, "h2").await;
        let (web, batch) = (bearer(&scene, WEB), bearer(&scene, BATCH));
        assert_eq!(ask(&mut client, &[&web]).await.status.as_u16(), 200);
        let mut command = tokio::process::Command::new(PROGRAM);
        let socket = scene.dir.path().join("state/admin.sock");
        command.args(["block", WEB, "--reason", "its key leaked", "--admin"]).arg(socket);
        assert!(command.output().await.unwrap().status.success());
        let blocked = ask(&mut client, &[&web]).await;
        check_refused(&blocked);
        assert_eq!(ask(&mut client, &[&batch]).await.status.as_u16(), 200);
        drop(client);
        let log = scene.finish().await;
        assert_eq!(reason_of(&log, &blocked), "peer.blocked");
    });
}
