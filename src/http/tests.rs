//! Deciding again at the moments that a test of the whole sidecar cannot choose.

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::http::StatusCode;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portreeve_core::policy::{Files, Revision};
use portreeve_core::spiffe::{JwtAuthorities, SpiffeId, TrustDomain};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use super::ongoing::Underway;
use super::*;
use crate::audit::{Durability, OnFailure, Settings, Target};
use crate::connections::{Limits, Registry};
use crate::dev::JwtAuthority;
use crate::forward::{
    self, OwnIdentity, RouteSettings, UpstreamAddress, UpstreamProtocol, UpstreamSettings,
    Upstreams,
};
use crate::identity::DenyListFile;

const ALL: &str = "permit(principal, action, resource);";
const ALL_IN_OTHER_WORDS: &str = "permit(principal, action, resource) when { true };";
const NOTHING: &str = "forbid(principal, action, resource);";
/// Raises for every request.
const ERROR: &str = "permit(principal, action, resource) when { 9223372036854775807 + 1 == 0 };";

fn bundle(policy: &str) -> Bundle {
    let mut files = Files::default();
    files.insert("a.cedar", policy.as_bytes().to_vec()).unwrap();
    let revision = Revision { digest: policy.into(), ..Revision::default() };
    Bundle::load(&files, revision).unwrap().0
}

/// A listener's gate that allows everything, with an upstream that counts what it answers.
fn gate(dir: &Path, mode: Enforcement, durability: Durability) -> (Arc<Gate>, Arc<AtomicUsize>) {
    let socket = dir.join("app.sock");
    let answered = serve_upstream(UnixListener::bind(&socket).unwrap());
    let settings = UpstreamSettings {
        name: "app".into(),
        address: UpstreamAddress::Unix(socket),
        protocol: UpstreamProtocol::H1,
        mtls: None,
        connect_timeout: Duration::from_secs(5),
    };
    let own = OwnIdentity { clock: Clock::system(), credentials: Arc::default() };
    let upstreams = forward::upstreams(&[settings], &Upstreams::new(), &own).unwrap();
    let routes = Routes::new(&[RouteSettings::default_route("app".into())], &upstreams).unwrap();
    let metrics = Metrics::new();
    let pool = crate::evaluation::Settings {
        threads: 1,
        stack_bytes: 8 << 20,
        budget: Duration::from_secs(5),
    };
    let log = Settings {
        target: Target::Dir(dir.join("log")),
        durability,
        on_failure: OnFailure::Deny,
        end_records: false,
        rotate_bytes: 1 << 30,
        keep_files: None,
    };
    let instance = crate::audit::this_instance("orders".into());
    let gate = Gate {
        listener: "public".into(),
        mode,
        callers: Callers {
            settings: CallerSettings::default(),
            authorities: Arc::default(),
            denied: DenyListFile::open(dir).unwrap(),
        },
        routing: ArcSwap::from_pointee(Routing {
            routes,
            metrics: metrics.listener("public", mode, ["default"]),
        }),
        policy: Store::holding(bundle(ALL)),
        pool: Pool::new(pool),
        log: Log::open(&log, instance, Clock::system()).unwrap(),
        clock: Clock::system(),
        metrics,
        open: AtomicUsize::new(0),
        ongoing: Ongoing::default(),
    };
    (Arc::new(gate), answered)
}

fn serve_upstream(listener: UnixListener) -> Arc<AtomicUsize> {
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            counter.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        }
    });
    answered
}

fn connection(gate: &Arc<Gate>) -> Arc<Connection> {
    let limits = Limits { first_head: Duration::MAX, between: Duration::MAX, age: None };
    Arc::new(Connection {
        gate: Arc::clone(gate),
        facts: access("/").connection,
        caller: None,
        tokens: Tokens::default(),
        registration: Registry::default().register(limits),
        place: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
    })
}

fn access(path: &str) -> AccessRequest {
    AccessRequest::described(&json!({ "path": path, "source": "spiffe://td/web" })).unwrap()
}

fn records(dir: &Path) -> Vec<Value> {
    let lines = crate::audit::read(&dir.join("log")).unwrap();
    lines.map(|line| serde_json::from_slice(&line.unwrap()).unwrap()).collect()
}

fn decisions(dir: &Path) -> Vec<Value> {
    records(dir).into_iter().filter(|record| record["kind"] == "decision").collect()
}

/// [`handle`] step by step, with another policy between the decision and the list of exchanges.
async fn handle_with_change(
    connection: &Arc<Connection>,
    request: Request<Incoming>,
    policy: &str,
) -> Response<ReplyBody> {
    let arrival = Arrival::new(connection, &request);
    let (parts, body) = request.into_parts();
    let taken = take_head(connection, parts).unwrap();
    let (taken, caller) = authenticate(connection, taken).unwrap();
    let mut decided = ask_policy(connection, taken, caller).await.unwrap();
    let receipt = record(connection, &arrival.id, &decided).await.unwrap();
    let permit = decided.decision.take_permit().unwrap();
    let gate = &connection.gate;
    gate.policy.hold(bundle(policy));
    let again = decide_again(std::slice::from_ref(gate)).await;
    assert_eq!((again.decided, again.ended), (0, 0), "it is not in the list yet");
    let response = exchange(connection, arrival, decided, permit, receipt, body, None).await;
    let again = decide_again(std::slice::from_ref(gate)).await;
    assert_eq!(again.decided, 0, "it has noticed by itself");
    response
}

async fn ask_across_change(mode: Enforcement, policy: &'static str) -> (StatusCode, usize, Value) {
    let dir = tempfile::tempdir().unwrap();
    let (gate, answered) = gate(dir.path(), mode, Durability::Written);
    let connection = connection(&gate);
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let service = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        async move { Ok::<_, Infallible>(handle_with_change(&connection, request, policy).await) }
    });
    let http = hyper::server::conn::http1::Builder::new();
    tokio::spawn(http.serve_connection(TokioIo::new(ours), service));
    let (mut sender, caller) =
        hyper::client::conn::http1::handshake(TokioIo::new(theirs)).await.unwrap();
    tokio::spawn(caller);
    let request = Request::get("/a").header("host", "orders").body(Empty::<Bytes>::new());
    let response = sender.send_request(request.unwrap()).await.unwrap();
    let decisions = decisions(dir.path());
    assert_eq!(decisions.len(), 2, "{decisions:?}");
    let [first, again] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!((&first["decision"]["outcome"], first.get("of")), (&json!("allow"), None));
    assert_eq!(again["of"], first["seq"]);
    assert_ne!(again["id"], first["id"]);
    assert_eq!(again["policy"]["digest"], policy);
    assert_eq!(again["request"], first["request"]);
    let said = json!([again["decision"]["outcome"], again["decision"]["ground"]]);
    (response.status(), answered.load(Ordering::Relaxed), said)
}

#[tokio::test]
async fn a_change_between_the_decision_and_the_list_is_noticed_before_anything_is_forwarded() {
    let ask = |policy| ask_across_change(Enforcement::Enforce, policy);
    assert_eq!(ask(NOTHING).await, (StatusCode::FORBIDDEN, 0, json!(["deny", null])));
    assert_eq!(ask(ERROR).await, (StatusCode::SERVICE_UNAVAILABLE, 0, json!(["error", null])));
    assert_eq!(ask(ALL_IN_OTHER_WORDS).await, (StatusCode::OK, 1, json!(["allow", "allowed"])));
    let shadowed = ask_across_change(Enforcement::Shadow, NOTHING).await;
    assert_eq!(shadowed, (StatusCode::OK, 1, json!(["deny", "shadow"])));
}

#[tokio::test]
async fn a_key_that_goes_between_the_token_and_the_list_is_noticed_before_anything_is_forwarded() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), JwtAuthority::new().unwrap());
    let (mut gate, answered) = gate(dir.path(), Enforcement::Enforce, Durability::Written);
    let (domain, key_set) = (TrustDomain::parse("td.test").unwrap(), signer.key_set());
    let keys = JwtAuthorities::new([(domain, key_set.as_bytes())]);
    let callers = &mut Arc::get_mut(&mut gate).unwrap().callers;
    let (proof, audience) = (Proof::Jwt, vec!["orders".to_owned()]);
    callers.settings = CallerSettings { proof, audience: audience.clone(), ..Default::default() };
    callers.authorities.store(Arc::new(keys));
    let id = SpiffeId::parse("spiffe://td.test/web").unwrap();
    let hour = Duration::from_secs(3_600);
    let token = signer.sign(&id, &audience, gate.clock.now(), hour).unwrap();
    let connection = connection(&gate);
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let service = service_fn(move |request: Request<Incoming>| {
        let connection = Arc::clone(&connection);
        async move {
            let arrival = Arrival::new(&connection, &request);
            let (parts, body) = request.into_parts();
            let taken = take_head(&connection, parts).unwrap();
            let (taken, caller) = authenticate(&connection, taken).unwrap();
            let mut decided = ask_policy(&connection, taken, caller).await.unwrap();
            let receipt = record(&connection, &arrival.id, &decided).await.unwrap();
            let permit = decided.decision.take_permit().unwrap();
            connection.gate.callers.authorities.store(Arc::default());
            let gates = [Arc::clone(&connection.gate)];
            assert_eq!(end_lapsed(&gates, Lapse::Trust).await, 0, "it is not in the list yet");
            let answer = exchange(&connection, arrival, decided, permit, receipt, body, None);
            Ok::<_, Infallible>(answer.await)
        }
    });
    let http = hyper::server::conn::http1::Builder::new();
    tokio::spawn(http.serve_connection(TokioIo::new(ours), service));
    let (mut sender, caller) =
        hyper::client::conn::http1::handshake(TokioIo::new(theirs)).await.unwrap();
    tokio::spawn(caller);
    let request = Request::get("/a").header("host", "orders");
    let request = request.header("authorization", format!("Bearer {token}"));
    let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    let said = (response.status(), answered.load(Ordering::Relaxed));
    assert_eq!(said, (StatusCode::UNAUTHORIZED, 0));
}

/// Exchanges in flight, without anything that drives them.
async fn in_flight(gate: &Gate, count: usize) -> Vec<Arc<Underway>> {
    let bundle = gate.policy.active().unwrap();
    let mut all = Vec::new();
    for n in 0..count {
        let access = AccessRequest { enforcement: gate.mode, ..access(&format!("/{n}")) };
        let decision = gate.pool.decide(&bundle, &access).await;
        let id = crate::audit::decision_id(access.time);
        let receipt = gate.log.decision(&id, &access, &decision, &bundle.revision).await.unwrap();
        let underway = Underway::new(access, receipt, None, None, &bundle);
        gate.ongoing.join(Arc::clone(&underway));
        all.push(underway);
    }
    all
}

#[tokio::test]
async fn a_pass_decides_each_exchange_once_whether_or_not_its_record_is_waited_for() {
    for durability in [Durability::Written, Durability::Synced, Durability::Queued] {
        let dir = tempfile::tempdir().unwrap();
        let (gate, _) = gate(dir.path(), Enforcement::Enforce, durability);
        let all = in_flight(&gate, 200).await;
        let policy = "permit(principal, action in Action::\"http\", resource) when { context.path like \"/1*\" };";
        gate.policy.hold(bundle(policy));
        let gates = [Arc::clone(&gate)];
        let again = decide_again(&gates).await;
        // `/1`, `/10` to `/19`, `/100` to `/199`.
        assert_eq!((again.decided, again.ended), (200, 200 - 111), "{durability:?}");
        let revoked =
            |it: &&Arc<Underway>| it.ended().is_some_and(|e| e.reason == "policy.revoked");
        assert_eq!(all.iter().filter(revoked).count(), 200 - 111);
        assert_eq!(decide_again(&gates).await.decided, 0);
        gate.policy.hold(bundle(policy));
        assert_eq!(decide_again(&gates).await.decided, 0, "the same policy by another commit");
        gate.log.close().await;
        assert_eq!(decisions(dir.path()).len(), 400, "{durability:?}");
    }
}

#[tokio::test]
async fn an_exchange_whose_record_is_refused_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (gate, _) = gate(dir.path(), Enforcement::Shadow, Durability::Written);
    let all = in_flight(&gate, 3).await;
    gate.log.close().await;
    gate.policy.hold(bundle(ALL_IN_OTHER_WORDS));
    let again = decide_again(&[gate]).await;
    assert_eq!((again.decided, again.ended), (3, 3));
    let is_closed = |it: &Arc<Underway>| it.ended().is_some_and(|e| e.reason == "log.closed");
    assert!(all.iter().all(is_closed));
}

#[tokio::test]
async fn who_has_left_is_not_decided_and_its_place_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (gate, _) = gate(dir.path(), Enforcement::Enforce, Durability::Written);
    let all = in_flight(&gate, 2).await;
    let [first, second] = &all[..] else { panic!() };
    let (early, late) = (gate.ongoing.all(), gate.ongoing.join(Arc::clone(first)));
    gate.ongoing.leave(late);
    assert_eq!((early.len(), gate.ongoing.all().len()), (2, 2));
    assert!(!first.is_to_be_decided_by(&bundle(NOTHING)), "it is over");
    assert!(second.is_to_be_decided_by(&bundle(NOTHING)));
    assert!(!second.is_to_be_decided_by(&bundle(NOTHING)), "once is enough");
    let place = gate.ongoing.join(Arc::clone(second));
    gate.ongoing.leave(place);
    assert_eq!(gate.ongoing.all().len(), 2);
}
