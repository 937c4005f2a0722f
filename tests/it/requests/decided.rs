//! Allowed and denied.

use crate::support::*;

#[test]
fn a_permitted_request_reaches_the_upstream() {
    run(async {
        let scene = Scene::start().await;
        for alpn in ["h1", "h2"] {
            let mut web = scene.client(WEB, alpn).await;
            let answer = web.get("/orders/17").await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "seen"));
            let answer = web.get("/reports/17").await;
            assert_eq!(answer.status.as_u16(), 403);
        }
        assert_eq!(scene.upstream.seen().len(), 2);
        let log = scene.finish().await;
        assert_eq!(decisions(&log).len(), 4);
    });
}
