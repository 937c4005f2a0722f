//! The commands, as processes, against a sidecar that runs.

use std::process::Output;

use portreeve::dev::Fault;
use portreeve::tls::Alpn;
use serde_json::Value;
use tokio::process::Command;

use super::caller::Caller;
use super::world::{ONLY_A, World, of_kind, until};
use crate::support::{ORDERS, PROGRAM, WEB};

/// How a command ended and what it printed.
struct Ran {
    code: i32,
    out: String,
    talk: String,
}

impl World {
    /// Runs a command in the world's directory.
    async fn ran(&self, line: &[&str]) -> Ran {
        let mut command = Command::new(PROGRAM);
        command.args(line).current_dir(self.dir.path()).env_clear();
        let Output { status, stdout, stderr } = command.output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: status.code().unwrap(), out: text(stdout), talk: text(stderr) }
    }

    /// Runs a command that must end with this code and print this on one of its two outputs.
    #[track_caller]
    fn check(&self, line: &[&str], code: i32, words: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let Ran { code: ended, out, talk } = self.ran(line).await;
            let all = format!("{out}{talk}");
            assert_eq!(ended, code, "{line:?} at {place}: {all}");
            assert!(all.contains(words), "{line:?} at {place}: no {words:?} in {all}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn config_check_says_good_bad_or_unreadable() {
    let world = World::new();
    world.check(&["config", "check", "-c", "portreeve.yaml"], 0, "portreeve.yaml is good").await;
    world.configure("colour: red");
    world.check(&["config", "check", "-c", "portreeve.yaml"], 1, "colour: unknown key").await;
    let json = world.ran(&["config", "check", "-c", "portreeve.yaml", "--format", "json"]).await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["valid"], json["errors"].as_array().unwrap().len()), (&false.into(), 1));
    world.check(&["config", "check", "-c", "missing.yaml"], 2, "missing.yaml").await;
    // The same file ends `run` with 2.
    world.check(&["run", "-c", "portreeve.yaml"], 2, "colour: unknown key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_got_can_be_called_explained_and_tailed() {
    let world = World::with(&[("p.cedar", ONLY_A)]);
    let process = world.run().await;
    let address = process.address().await.to_string();
    let (allowed, denied) = (format!("https://{address}/a"), format!("https://{address}/b"));
    let endpoint = world.api().endpoint();
    let as_web = ["--socket", &*endpoint, "--pick", WEB];
    let call = |url: &str, more: &[&str]| {
        let line = [&["call", url], &as_web[..], more].concat();
        line.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for (url, more, code, words) in [
        (&allowed, &["--expect", ORDERS][..], 0, "here"),
        (&allowed, &["--http1"], 0, "200 from"),
        (&denied, &["--http2"], 1, "403 from"),
        (&allowed, &["--expect", WEB], 2, "peer.unexpected_id"),
        (&"https://127.0.0.1:1/a".to_owned(), &[], 2, "failed to connect"),
        (&"http://127.0.0.1:1/a".to_owned(), &[], 2, "must begin with `https://`"),
    ] {
        let line = call(url, more);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        world.check(&line, code, words).await;
    }

    // Who refused the sidecar's name is counted, about a second later.
    until("the refusal's record", async || !of_kind(&world.records(), "refused", "").is_empty())
        .await;
    let mut caller =
        Caller::connect(world.api(), address.parse().unwrap(), Alpn::Http2).await.unwrap();
    let (allow, deny) = (caller.get("/a").await.unwrap().id, caller.get("/b").await.unwrap().id);
    let log = world.path("state/log");
    let log = log.to_str().unwrap();
    world.check(&["explain", &allow, "--log", log], 0, "decided by  p.cedar:2  `only-a`").await;
    world.check(&["explain", &deny, "--log", log], 0, "deny: not_allowed").await;
    let unknown = "01a3185c-5000-7101-8101-010101010101";
    world.check(&["explain", unknown, "--log", log], 1, "no record of").await;
    world.check(&["explain", "x", "--log", log], 2, "error:").await;
    world.check(&["explain", &deny, "--log", "missing"], 2, "missing").await;

    let tail = world.ran(&["tail", "--deny", "-n", "100", "--log", log]).await;
    assert_eq!(tail.code, 0);
    assert!(tail.out.lines().count() == 3 && tail.out.contains(&deny), "{}", tail.out);
    assert!(!tail.out.contains(&allow), "{}", tail.out);
    let tail = world.ran(&["tail", "-n", "1", "--log", log, "--format", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&tail.out).unwrap()["id"], *deny);

    let admin = process.socket();
    let admin = admin.to_str().unwrap();
    world.check(&["status", "--admin", admin], 0, "sidecar    orders: ready; ").await;
    world.check(&["status", "-c", "portreeve.yaml"], 0, world.repo.head().get(..12).unwrap()).await;
    let json = world.ran(&["status", "--admin", admin, "--format", "json"]).await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["identity"]["spiffe_id"], ORDERS);
    world.check(&["status", "--admin", "nobody.sock"], 2, "no sidecar answers on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_of_a_sidecar_that_is_not_ready_ends_with_1() {
    let mut world = World::new();
    world.api = None;
    let process = world.spawn();
    until("the admin socket", async || process.status().await.is_some()).await;
    let admin = process.socket();
    let line = ["status", "--admin", admin.to_str().unwrap()];
    world.check(&line, 1, "identity not_ready: no SVID yet").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoami_says_who_we_are_or_why_nobody() {
    let world = World::new();
    let socket = world.api().endpoint();
    let line = ["whoami", "--socket", &*socket];
    world.check(&line, 0, WEB).await;
    world.check(&line, 0, "demo.test  root certificates: 1").await;
    world.check(&line, 0, "demo.test  keys: 1").await;
    world.api().set_fault(Fault::Denied);
    world.check(&line, 1, "no identity issued").await;
    world.check(&["whoami", "--socket", "unix:///nobody.sock"], 2, "there is no socket at").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_checked_tested_and_evaluated() {
    let world = World::new();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    let (cedar, rego) = (format!("{root}/cedar"), format!("{root}/rego"));
    world.check(&["policy", "check", root], 0, "").await;
    world.check(&["policy", "test", root], 0, " passed, 0 failed, 0 skipped").await;
    let broken = world.path("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("p.cedar"), "permit(principal,\n  action, resource").unwrap();
    world.check(&["policy", "check", "broken"], 1, "p.cedar:2").await;
    world.check(&["policy", "test", "broken"], 1, "1 failed").await;
    world.check(&["policy", "check", "missing"], 2, "missing").await;
    world.check(&["policy", "test", "missing"], 2, "missing").await;
    let web = "spiffe://demo.test/ns/shop/sa/web";
    for bundle in [&*cedar, &*rego] {
        let about = ["policy", "eval", bundle, "--source", web, "--route", "orders"];
        let line = [&about[..], &["--path", "/orders/1"]].concat();
        world.check(&line, 0, "allow (allowed)").await;
        let line = [&about[..], &["--path", "/orders/1", "--method", "DELETE"]].concat();
        world.check(&line, 1, "deny (forbidden)").await;
    }
    world.check(&["policy", "eval", "broken", "--path", "/"], 2, "does not load").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_closes_with_its_counts_and_version_is_json() {
    let world = World::new();
    let ran = world.ran(&["conformance", "spiffe-id"]).await;
    let closing = ran.out.lines().last().unwrap();
    assert_eq!(ran.code, 0);
    let counts: Vec<_> = closing.split(", ").collect();
    let [passed, failed, skipped] = counts[..] else { panic!("{closing}") };
    assert!(passed.strip_suffix(" passed").unwrap().parse::<u32>().unwrap() > 10, "{closing}");
    assert_eq!(failed, "0 failed");
    assert!(skipped.ends_with(" skipped"), "{closing}");
    world.check(&["conformance", "unknown"], 2, "invalid value").await;

    let ran = world.ran(&["version", "--json"]).await;
    let version: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &version["portreeve"]), (0, &env!("CARGO_PKG_VERSION").into()));
    world.check(&["no-such-command"], 2, "unrecognized subcommand").await;
}
