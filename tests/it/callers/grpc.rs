//! Tokens in gRPC metadata, which is the same header.

use super::*;

const GRPC: [(&str, &str); 2] = [("content-type", "application/grpc"), ("te", "trailers")];

#[test]
fn a_call_without_a_token_that_holds_is_unauthenticated_in_one_head() {
    run(async {
        let setup = Setup {
            policies: ALLOW_ALL,
            listener: listener("jwt"),
            upstream_protocol: "h2c",
            ..Setup::default()
        };
        let scene = setup.start().await;
        let mut client = connect(&scene, None, "h2").await;
        let call = |token: Option<&str>| {
            let token = token.map(|token| ("authorization", token));
            let headers: Vec<_> = GRPC.into_iter().chain(token).collect();
            request("POST", "/shop.Orders/Unary", &headers, body("\0\0\0\0\0"))
        };
        let for_others = bearer_for(&scene, WEB, "payments", HOUR);
        for token in [None, Some(&*for_others)] {
            let response = client.send(call(token)).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["grpc-status"], "16");
            assert_eq!(response.headers()["grpc-message"], "the caller is not admitted");
            assert!(hyper::body::Body::is_end_stream(response.body()));
        }
        let token = bearer(&scene, WEB);
        let answer = client.ask(call(Some(&token))).await;
        assert_eq!(answer.header("grpc-status"), "", "answered by the upstream");
        drop(client);
        let (log, _, seen) = scene.finish_with().await;
        assert_eq!(decisions(&log).len(), 1);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].header("x-spiffe-id"), [WEB]);
        assert!(seen[0].header("authorization").is_empty());
    });
}
