//! No part of a token appears in any output, whether it holds or not (invariant 10).

use super::*;

#[test]
fn no_token_appears_in_log_traces_metrics_answers_or_upstream() {
    let traced = Collected::default();
    let subscriber =
        tracing_subscriber::fmt().with_env_filter("trace").with_writer(traced.clone()).finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    let (told, tokens) = run_traced(&dispatch, async {
        let scene = scene("both", ALLOW_ALL).await;
        let good = bearer(&scene, WEB);
        let (unsigned, _) = good.rsplit_once('.').unwrap();
        let tokens = [
            good.clone(),
            bearer_for(&scene, WEB, "payments", HOUR),
            bearer(&scene, BATCH),
            format!("{unsigned}.c2lnbmF0dXJlLWNhbmFyeQ"),
            "Bearer bm8tand0.canary-of-no-jwt".to_owned(),
            "Basic Y2FuYXJ5OmNhbmFyeQ".to_owned(),
        ];
        let mut told = String::new();
        for alpn in ["h1", "h2"] {
            let mut client = connect(&scene, Some(WEB), alpn).await;
            for (token, status) in tokens.iter().zip([200, 401, 401, 401, 401, 401]) {
                for _ in 0..2 {
                    let answer = ask(&mut client, &[token]).await;
                    assert_eq!(answer.status.as_u16(), status, "{token}");
                    told.push_str(&format!("{:?} {}", answer.headers, answer.text()));
                }
            }
            // A token in the query or in a cookie proves nobody (J15); the application may have its own.
            let target = "/orders/1?access_token=x";
            let answer =
                client.ask(request("GET", target, &[("cookie", "token=x")], empty())).await;
            check_refused(&answer);
        }
        told.push_str(&scene.sidecar.report().metrics(None).1);
        told.push_str(&format!("{:?}", scene.sidecar));
        told.push_str(&serde_json::to_string(&scene.sidecar.report().status()).unwrap());
        let (log, _, seen) = scene.finish_with().await;
        assert_eq!(decisions(&log).len(), 4);
        told.push_str(&serde_json::to_string(&log).unwrap());
        told.push_str(&format!("{seen:?}"));
        (told, tokens)
    });
    let traced = traced.text();
    assert!(traced.contains("accepting connections"), "nothing was traced");
    for token in &tokens {
        // The header of a token is the same in all of them and says nothing.
        for part in token.split([' ', '.']).skip(1).filter(|part| part.len() > 10) {
            let is_header = part.starts_with("eyJ0eXAi") || part.starts_with("eyJhbGci");
            assert!(is_header || !told.contains(part), "an output holds {part}");
            assert!(is_header || !traced.contains(part), "a trace holds {part}");
        }
    }
}
