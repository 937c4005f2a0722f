//! `portreeve block`: whom the deny-list turns away and cuts, over a restart and until its end.

use std::process::Output;
use std::time::Duration;

use portreeve::admin::client;
use portreeve::clock::Clock;
use portreeve::tls::{Alpn, alert_received};
use portreeve_core::Timestamp;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::guest::{GUEST, Guest, Partner, ended, setup, until, websocket};
use crate::support::*;

const REASON: &str = "its key leaked";

/// Runs the real command against the sidecar of the scene.
async fn portreeve(scene: &Scene, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--admin").arg(scene.dir.path().join("state/admin.sock"));
    command.output().await.unwrap()
}

pub(super) async fn said(scene: &Scene, arguments: &[&str], code: i32) -> String {
    let output = portreeve(scene, arguments).await;
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn a_blocked_peer_is_cut_and_refused_until_it_is_unblocked_and_others_are_not() {
    run(async {
        let scene = setup().start().await;
        let web = scene.workload_api.issue(&id(WEB)).unwrap();
        let payments = scene.workload_api.issue(&id(PAYMENTS)).unwrap();
        let h1 = Guest::served(&scene, &web, Alpn::Http1).await.unwrap();
        let h2 = Guest::served(&scene, &web, Alpn::Http2).await.unwrap();
        let mut socket = websocket(&scene, &web).await;
        let mut other = Guest::served(&scene, &payments, Alpn::Http2).await.unwrap();

        let text = said(&scene, &["block", WEB, "--reason", REASON], 0).await;
        assert!(text.contains(&format!("blocked {WEB} until it is lifted ({REASON})")), "{text}");
        h1.ended().await;
        let error = h2.ended().await.unwrap_or_default();
        assert!(error.contains("INADEQUATE_SECURITY"), "{error}");
        ended(&mut socket).await;
        assert_eq!(other.get("/a").await, Ok((200, false)));
        for alpn in [Alpn::Http1, Alpn::Http2] {
            // In TLS 1.3 the client's end of the handshake comes before the server's refusal.
            let stream = handshake(scene.address(), &scene.workload_api, &web, alpn).await;
            let error = stream.unwrap().read_u8().await.unwrap_err();
            assert_eq!(alert_received(&error), Some("access_denied"), "{error}");
        }
        let refused = scene.until_record(|record| record["kind"] == "refused").await;
        assert_eq!(text_of(&refused, "/refused/reason"), "peer.blocked");
        assert_eq!(text_of(&refused, "/refused/claimed/0/spiffe_id"), WEB);
        let cut = scene.until_record(|record| record["kind"] == "connection").await;
        assert_eq!(
            (text_of(&cut, "/reason"), text_of(&cut, "/connections")),
            ("peer.blocked".into(), "3".into())
        );
        let blocked = scene.until_record(|record| record["event"] == "blocked").await;
        assert_eq!(
            (text_of(&blocked, "/spiffe_id"), text_of(&blocked, "/reason")),
            (WEB.into(), REASON.into())
        );
        assert_eq!(scene.sidecar.report().status().blocked, 1);
        assert!(said(&scene, &["block", "--list"], 0).await.contains(WEB));

        said(&scene, &["unblock", WEB], 0).await;
        let mut again = Guest::served(&scene, &web, Alpn::Http2).await.unwrap();
        assert_eq!(again.get("/a").await, Ok((200, false)));
        let text = said(&scene, &["unblock", WEB], 1).await;
        assert!(text.contains("not blocked"), "{text}");
        assert_eq!(said(&scene, &["unblock", WEB, "--format", "json"], 1).await, "[]\n");
        assert_eq!(said(&scene, &["block", "--list"], 0).await, "nobody is blocked\n");
        scene.until_record(|record| record["event"] == "unblocked").await;
        said(&scene, &["block", "spiffe://Partner.test", "--reason", REASON], 2).await;
        said(&scene, &["block", WEB], 2).await;
        said(&scene, &["block", WEB, "--reason", ""], 2).await;
        said(&scene, &["block", WEB, "--reason", REASON], 0).await;
        let gone = said(&scene, &["unblock", WEB, "--format", "json"], 0).await;
        let gone: serde_json::Value = serde_json::from_str(&gone).unwrap();
        assert_eq!((&gone[0]["spiffe_id"], &gone[0]["reason"]), (&WEB.into(), &REASON.into()));
        drop((other, again));
        scene.finish().await;
    });
}

#[test]
fn a_blocked_trust_domain_stays_blocked_over_a_restart() {
    run(async {
        let stage = setup().stage();
        let config = stage.config.clone();
        let mut scene = stage.start().await;
        scene.until_ready().await;
        let partner = Partner::new(&Clock::system());
        partner.federate(&scene).await;
        let theirs = partner.guest(&scene, Alpn::Http2).await.unwrap();
        let ours = scene.workload_api.issue(&id(WEB)).unwrap();
        let mut own = Guest::served(&scene, &ours, Alpn::Http2).await.unwrap();
        said(&scene, &["block", "spiffe://partner.test", "--reason", REASON, "--for", "7d"], 0)
            .await;
        theirs.ended().await;
        assert_eq!(own.get("/a").await, Ok((200, false)));
        drop(own);

        let next = start_sidecar;
        let clock = Clock::system();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        let Scene { sidecar, workload_api, repository, upstream, dir } = scene;
        sidecar.drain(deadline).await;
        let sidecar = next(&config, dir.path(), &clock).await;
        scene = Scene { sidecar, workload_api, repository, upstream, dir };
        scene.until_ready().await;
        until(async || Guest::served(&scene, &ours, Alpn::Http2).await.is_ok()).await;
        assert!(partner.guest(&scene, Alpn::Http2).await.is_err());
        let blocked =
            scene.until_record(|record| text_of(record, "/refused/reason") == "peer.blocked");
        assert_eq!(text_of(&blocked.await, "/refused/claimed/0/spiffe_id"), GUEST);
        let socket = scene.dir.path().join("state/admin.sock");
        let list = client::get(&socket, "/blocked").await.unwrap();
        assert_eq!(list["blocked"][0]["spiffe_id"], "spiffe://partner.test");
        scene.finish().await;
    });
}

#[test]
fn a_block_ends_by_the_clock() {
    run(async {
        let now = Clock::system().now();
        let clock = Clock::manual(now);
        let scene = Setup { clock: clock.clone(), ..setup() }.start().await;
        let web = scene.workload_api.issue(&id(WEB)).unwrap();
        said(&scene, &["block", WEB, "--reason", REASON, "--for", "2m"], 0).await;
        assert!(Guest::served(&scene, &web, Alpn::Http1).await.is_err());
        clock.set(Timestamp::from_unix_micros(now.unix_micros() + 121_000_000));
        let mut again = Guest::served(&scene, &web, Alpn::Http1).await.unwrap();
        let expired = scene.until_record(|record| record["event"] == "expired").await;
        assert_eq!(text_of(&expired, "/spiffe_id"), WEB);
        assert_eq!(scene.sidecar.report().status().blocked, 0);
        assert_eq!(again.get("/a").await, Ok((200, false)));
        drop(again);
        scene.finish().await;
    });
}

#[test]
fn a_sidecar_whose_deny_list_cannot_be_read_does_not_start() {
    run(async {
        let stage = setup().stage();
        let state = stage.dir.path().join("state");
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join("deny-list.json"), "{").unwrap();
        let file = stage.dir.path().join("portreeve.yaml");
        std::fs::write(&file, &stage.config).unwrap();
        let output = Command::new(PROGRAM).arg("run").arg("-c").arg(&file).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("deny-list.json") && said.contains("repair it"), "{said}");
    });
}

fn text_of(record: &serde_json::Value, pointer: &str) -> String {
    text(record, pointer)
}
