//! Each check with what is good and what is not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};

use super::*;
use crate::audit::{self, OnFailure, Target};
use crate::dev::{self, Authority, Entry, Fault, WorkloadApi};
use crate::forward::{UpstreamAddress, UpstreamProtocol, UpstreamSettings};
use crate::identity::{Settings, Snapshot, Source, SourceStatus, Svid, UnusableBundle};

const HOUR: Duration = Duration::from_secs(3_600);

#[track_caller]
fn check(seen: &Check, state: State, words: &str) {
    assert_eq!(seen.state, state, "{seen:?}");
    let text = format!("{} {}", seen.found, seen.to_do.as_deref().unwrap_or_default());
    assert!(text.contains(words), "{seen:?}");
    assert_eq!(seen.to_do.is_some(), matches!(state, State::Warn | State::Fail), "{seen:?}");
}

fn domain(name: &str) -> TrustDomain {
    TrustDomain::parse(name).unwrap()
}

fn authority(name: &str) -> Authority {
    Authority::new(domain(name), Clock::system()).unwrap()
}

/// An SVID of `a.test` with the roots of these authorities.
fn snapshot(issuer: &Authority, bundles: &[(&str, &Authority)]) -> Snapshot {
    let id = SpiffeId::parse("spiffe://a.test/web").unwrap();
    let issued = issuer.issue(&id, HOUR).unwrap();
    let roots =
        |(name, authority): &(&str, &Authority)| (domain(name), vec![authority.root().clone()]);
    Snapshot {
        sequence: 1,
        svid: Svid::from_der(&issued.chain_der(), issued.key_der()).unwrap(),
        bundles: bundles.iter().map(roots).collect::<BTreeMap<_, _>>(),
        crls: Vec::new(),
        received: Clock::system().now(),
    }
}

fn of(snapshot: Snapshot, clock: &Clock) -> [Check; 2] {
    identity::of_snapshot(snapshot, SourceStatus::default(), clock)
}

#[test]
fn an_svid_holds_under_its_own_bundle_or_every_peer_will_refuse_it() {
    let (ours, other) = (authority("a.test"), authority("a.test"));
    let clock = Clock::system();
    let [svid, bundles] = of(snapshot(&ours, &[("a.test", &ours)]), &clock);
    check(&svid, State::Ok, "`spiffe://a.test/web`, valid until");
    check(&bundles, State::Ok, "1 trust domain: `a.test` (1 root)");
    let [svid, _] = of(snapshot(&ours, &[("a.test", &other)]), &clock);
    check(&svid, State::Fail, "does not hold under our own bundle");
}

#[test]
fn an_svid_that_is_late_is_a_warning_and_one_that_expired_a_failure() {
    let ours = authority("a.test");
    let late = snapshot(&ours, &[("a.test", &ours)]);
    let end = late.svid.not_after.unix_seconds();
    let clock = Clock::manual(Timestamp::from_unix_seconds(end - 60));
    check(&of(late, &clock)[0], State::Warn, "it should have been renewed");
    let expired = snapshot(&ours, &[("a.test", &ours)]);
    clock.set(Timestamp::from_unix_seconds(end + 10));
    check(&of(expired, &clock)[0], State::Fail, "our SVID expired");
}

#[test]
fn bundles_that_are_empty_shared_or_unreadable_are_named() {
    let ours = authority("a.test");
    let clock = Clock::system();
    let shared = snapshot(&ours, &[("a.test", &ours), ("b.test", &ours)]);
    check(&of(shared, &clock)[1], State::Warn, "stands in the bundles of a.test, b.test");
    let mut empty = snapshot(&ours, &[("a.test", &ours)]);
    empty.bundles.insert(domain("b.test"), Vec::new());
    check(&of(empty, &clock)[1], State::Warn, "nobody of `b.test` is trusted");
    let unusable = UnusableBundle { name: "spiffe://c.test".to_owned(), text: "bad".to_owned() };
    let status = SourceStatus { unusable: vec![unusable], ..SourceStatus::default() };
    let [_, bundles] = identity::of_snapshot(snapshot(&ours, &[("a.test", &ours)]), status, &clock);
    check(&bundles, State::Warn, "`spiffe://c.test` cannot be read: bad");
}

fn identity_settings(socket: &Path) -> Settings {
    Settings::new(Source::WorkloadApi { socket: socket.to_owned() })
}

async fn identity_checks(socket: &Path, log: Target, clock: &Clock) -> Vec<Check> {
    identity::checks(&identity_settings(socket), false, &log, clock).await
}

#[tokio::test]
async fn a_source_that_answers_is_good_and_one_that_does_not_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let clock = Clock::system();
    let [source, svid, bundles, time] =
        identity_checks(&socket, Target::Stdout, &clock).await.try_into().unwrap();
    check(&source, State::Fail, "there is no socket at");
    check(&svid, State::Skip, "not checked: see `identity source`");
    check(&bundles, State::Skip, "not checked");
    check(&time, State::Ok, "nothing of ours contradicts it");

    let mut settings = dev::Settings::new(domain("a.test"), socket.clone());
    settings.entries = vec![Entry::any(SpiffeId::parse("spiffe://a.test/web").unwrap())];
    let api = WorkloadApi::start(settings).unwrap();
    let good = identity_checks(&socket, Target::Stdout, &clock).await;
    assert!(good.iter().all(|check| check.state == State::Ok), "{good:?}");
    assert!(good[0].found.contains("answers, served by user"), "{good:?}");

    let hour_ago = Clock::manual(Timestamp::from_unix_seconds(1_800_000_000));
    hour_ago.set(Timestamp::from_unix_seconds(clock.now().unix_seconds() - 3_600));
    let behind = identity_checks(&socket, Target::Stdout, &hour_ago).await;
    check(&behind[3], State::Fail, "is the clock set?");

    api.set_fault(Fault::Denied);
    let denied = identity_checks(&socket, Target::Stdout, &clock).await;
    check(&denied[0], State::Fail, "is there a registration entry");
}

#[tokio::test]
async fn keys_of_tokens_are_counted_where_a_listener_takes_them() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let clock = Clock::system();
    let source = identity_settings(&socket);
    let of = async || identity::checks(&source, true, &Target::Stdout, &clock).await;
    check(&of().await[3], State::Skip, "not checked: see `identity source`");
    let mut settings = dev::Settings::new(domain("a.test"), socket.clone());
    settings.entries = vec![Entry::any(SpiffeId::parse("spiffe://a.test/web").unwrap())];
    let _api = WorkloadApi::start(settings).unwrap();
    let good = of().await;
    check(&good[3], State::Ok, "1 trust domain: `a.test` (1 key)");
    let keys = |counts: &[(&str, usize)]| {
        let counts: Vec<_> = counts.iter().map(|(name, keys)| (domain(name), *keys)).collect();
        identity::keys(&counts, &domain("a.test"))
    };
    check(&keys(&[]), State::Fail, "no token holds");
    check(&keys(&[("a.test", 0)]), State::Fail, "no token holds");
    check(&keys(&[("a.test", 2), ("b.test", 0)]), State::Warn, "no token of `b.test` holds");
    check(&keys(&[("b.test", 1)]), State::Warn, "no token of `a.test` holds");
}

fn log(dir: &Path) -> audit::Settings {
    audit::Settings {
        target: Target::Dir(dir.to_owned()),
        durability: audit::Durability::Written,
        on_failure: OnFailure::Deny,
        end_records: false,
        rotate_bytes: 1 << 20,
        keep_files: None,
    }
}

#[test]
fn a_log_needs_a_directory_that_is_writable_and_has_space() {
    let dir = tempfile::tempdir().unwrap();
    let (absent, parent) = (dir.path().join("state/log"), dir.path().display());
    let seen = places::log(&log(&absent));
    assert_ne!(seen.state, State::Fail, "{seen:?}");
    let words = format!("/state/log` is not there yet; `{parent}`, in which it will be made, is");
    assert!(seen.found.contains(&words), "{seen:?}");
    let seen = places::log(&log(dir.path()));
    assert!(seen.found.starts_with(&format!("`log.dir` `{parent}` is writable")), "{seen:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
    // Its permissions allow a privileged user everything.
    let seen = places::log(&log(Path::new("/proc/portreeve")));
    check(&seen, State::Fail, "`/proc`, in which it will be made, cannot be written to");
    std::fs::write(dir.path().join("file"), "").unwrap();
    check(&places::log(&log(&dir.path().join("file"))), State::Fail, "is not a directory");
    let stdout = audit::Settings { target: Target::Stdout, ..log(dir.path()) };
    check(&places::log(&stdout), State::Ok, "standard output");
    let space = |free, on_failure| places::space("`log.dir`", free, on_failure);
    check(&space(2 << 30, OnFailure::Deny), State::Ok, "2048 MiB are free");
    check(&space(1 << 29, OnFailure::Drop), State::Warn, "records are lost");
    check(&space(1 << 20, OnFailure::Deny), State::Fail, "every request is denied");
}

#[tokio::test]
async fn a_sidecar_that_does_not_run_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    check(&places::sidecar(&socket).await, State::Warn, "none runs");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    check(&places::sidecar(&socket).await, State::Warn, "it has ended or hangs");
}

fn upstream(address: UpstreamAddress) -> UpstreamSettings {
    UpstreamSettings {
        name: Arc::from("app"),
        address,
        protocol: UpstreamProtocol::H1,
        mtls: None,
        connect_timeout: Duration::from_secs(1),
    }
}

#[tokio::test]
async fn a_service_that_listens_outside_is_reached_past_us() {
    let open = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let tcp = upstream(UpstreamAddress::Tcp(address));
    let [reached, bypass] = upstreams::checks(&tcp, &[]).await;
    check(&reached, State::Ok, "accepts connections");
    check(&bypass, State::Fail, &format!("port {port} listens on `0.0.0.0:{port}`"));
    check(
        &bypass,
        State::Fail,
        &format!("let the service listen on a Unix socket or on `{address}`"),
    );
    let [_, ours] = upstreams::checks(&tcp, &[open.local_addr().unwrap()]).await;
    check(&ours, State::Ok, "listens on no outer address");
    drop(open);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    let tcp = upstream(UpstreamAddress::Tcp(address));
    check(&upstreams::checks(&tcp, &[]).await[1], State::Ok, "listens on no outer address");
    drop(closed);
    check(&upstreams::checks(&tcp, &[]).await[0], State::Fail, "start the service");
}

#[test]
fn lists_that_cannot_be_read_are_no_proof_that_nobody_reaches_us() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (v4, v6, bad) = (path("tcp"), path("tcp6"), path("bad"));
    let of =
        |lists: &[&str]| upstreams::of_port("app", "127.0.0.1:80".parse().unwrap(), &[], lists);
    check(&of(&[&v4, &v6]), State::Warn, "could not be looked at");
    std::fs::write(&v4, "  sl  local_address rem_address   st\n").unwrap();
    check(&of(&[&v4, &v6]), State::Ok, "port 80 listens on no outer address");
    std::fs::write(&bad, b"\xff").unwrap();
    check(&of(&[&v4, &bad]), State::Warn, "ss -ltn 'sport = :80'");
}

#[test]
fn the_kernels_list_is_read_in_both_families() {
    let line = |local: &str, state: &str| {
        format!(
            "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 1\n"
        )
    };
    // As a little-endian machine writes it.
    let little = cfg!(target_endian = "little");
    let loopback = if little { "0100007F:1F90" } else { "7F000001:1F90" };
    let any6 = format!("{}:1F90", "0".repeat(32));
    let list = [
        "  sl  local_address rem_address   st\n".to_owned(),
        line(loopback, "0A"),
        line("00000000:0050", "01"),
        line(&any6, "0A"),
        "broken\n".to_owned(),
    ]
    .concat();
    let expected: [SocketAddr; 2] =
        ["127.0.0.1:8080".parse().unwrap(), "[::]:8080".parse().unwrap()];
    assert_eq!(upstreams::listening(&list), expected);
}

#[tokio::test]
async fn a_socket_that_everybody_may_write_to_is_reached_past_us() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    let unix = upstream(UpstreamAddress::Unix(path.clone()));
    let [reached, bypass] = upstreams::checks(&unix, &[]).await;
    check(&reached, State::Fail, "start the service");
    check(&bypass, State::Skip, "not checked: there is no");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let modes = [
        (0o755, State::Ok, "its owner alone may connect"),
        (0o660, State::Ok, "its owner and its group alone may connect"),
        (0o666, State::Warn, "every user of this machine may connect"),
    ];
    for (mode, state, words) in modes {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let [reached, bypass] = upstreams::checks(&unix, &[]).await;
        check(&reached, State::Ok, "accepts connections");
        check(&bypass, state, &format!("has mode {mode:04o}: {words}"));
    }
}

#[test]
fn what_is_printed_has_one_line_a_check_and_what_to_do_below_it() {
    let checks = [
        Check::ok("svid", "good"),
        Check::fail("log", "full\u{1b}", "make room\nsoon"),
        Check::skip("jwt", "not checked"),
    ];
    let mut out = Vec::new();
    print(&checks, Format::Pretty, &mut out).unwrap();
    let expected = "ok   svid: good\nFAIL log: full\\u{1b}\n       make room\n       soon\n\
                    skip jwt: not checked\n\n\
                    3 checks: 1 failed, 0 warnings, 1 skipped\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let mut out = Vec::new();
    print(&checks, Format::Json, &mut out).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["checks"][0]["to_do"], serde_json::Value::Null);
    assert_eq!(answer["checks"][1]["state"], "fail");
    assert_eq!(answer["checks"][2]["state"], "skip");
}
