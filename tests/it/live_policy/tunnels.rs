//! Tunnels that are open when the policy changes.

use hyper_util::rt::TokioIo;

use super::*;

/// Switches as asked, then sends every byte back.
fn echo() -> Respond {
    respond(|mut arrived| async move {
        let upgrade = hyper::upgrade::on(&mut arrived.request);
        tokio::spawn(async move {
            let stream = TokioIo::new(upgrade.await.unwrap());
            let (mut read, mut write) = tokio::io::split(stream);
            // A tunnel that is cut is what the test is about.
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
        let switch = Response::builder().status(101).header("connection", "Upgrade");
        switch.header("upgrade", "websocket").body(whole("")).unwrap()
    })
}

#[test]
fn a_denied_tunnel_is_cut_and_a_permitted_one_kept() {
    run(async {
        let setup = Setup { policies: ALLOW_ALL, respond: echo(), ..Setup::default() };
        let scene = setup.start().await;
        let mut tunnels = Vec::new();
        for path in ["/drop", "/keep"] {
            let mut raw = scene.raw(WEB).await;
            raw.write(format!(
                "GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\n\r\n"
            ))
            .await;
            let switched = raw.read_until("\r\n\r\n").await;
            assert!(switched.starts_with("HTTP/1.1 101"), "{switched}");
            raw.write("before").await;
            assert_eq!(raw.read_until("before").await, "before");
            tunnels.push(raw);
        }
        change(&scene, "a.rego", KEEP_IN_REGO).await;
        decided_again(&scene, 2).await;
        assert_eq!(tunnels[0].read_all().await, "");
        tunnels[1].write("after").await;
        assert_eq!(tunnels[1].read_until("after").await, "after");
        drop(tunnels);
        scene.until("ended", || of_kind(&scene.records(), "end").len() == 2).await;
        let log = scene.finish().await;
        check_again(&log, &[("/drop", "deny"), ("/keep", "allow")]);
        assert_eq!(end_of(&log, "/drop"), ("101".to_owned(), "[\"policy.revoked\"]".to_owned()));
        assert_eq!(end_of(&log, "/keep").0, "101");
        let ends = of_kind(&log, "end");
        assert_eq!(
            (text(ends[0], "/request/bytes"), text(ends[0], "/response/bytes")),
            ("6".to_owned(), "6".to_owned())
        );
    });
}
