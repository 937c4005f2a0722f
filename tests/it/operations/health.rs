//! Probes, metrics and the admin socket, also while every serving thread is busy.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use portreeve::admin::{Status, client};
use portreeve::tls::Alpn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::caller::{BOTH, Caller};
use super::world::{PATIENCE, World, until};
use crate::support::{ORDERS, WEB};

/// The status and the body of a plain GET.
pub(super) async fn probe(address: SocketAddr, path: &str) -> (u16, String) {
    let asking = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: probe\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(PATIENCE, asking).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn probes_and_metrics_answer_while_every_serving_thread_is_busy() {
    let serving =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = World::in_runtime(&serving);
    let sidecar = serving.block_on(world.start_ready());
    let health = sidecar.health().unwrap();
    let (busy, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    for _ in 0..2 {
        let (busy, is_over) = (Arc::clone(&busy), Arc::clone(&is_over));
        serving.spawn(async move {
            busy.fetch_add(1, Ordering::Release);
            while !is_over.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        });
    }
    let asking = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    asking.block_on(async {
        until("all threads to be busy", async || busy.load(Ordering::Acquire) == 2).await;
        for path in ["/livez", "/readyz", "/startupz", "/metrics"] {
            let answer = tokio::time::timeout(Duration::from_secs(5), probe(health, path)).await;
            assert_eq!(answer.unwrap().0, 200, "{path}");
        }
        let socket = world.path("state/admin.sock");
        let status = client::get(&socket, "/status").await.unwrap();
        assert_eq!(status["service"], "orders");
        assert_eq!(status["health"], health.to_string());
    });
    is_over.store(true, Ordering::Release);
    drop(sidecar);
    let _inside = serving.enter();
    drop(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened_and_name_no_path_and_no_identity() {
    let world = World::with(&[("p.cedar", super::world::ONLY_A)]);
    let sidecar = world.start_ready().await;
    let (address, health) = (sidecar.addresses()[0], sidecar.health().unwrap());
    let mut caller = Caller::connect(world.api(), address, Alpn::Http1).await.unwrap();
    for path in ["/a", "/a/secret", "/b", "/c", "/d"] {
        caller.get(path).await.unwrap();
    }
    caller.get("/a//b").await.unwrap(); // no canonical form
    for _ in 0..3 {
        // Plain HTTP where TLS is spoken.
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    let (status, metrics) = probe(health, "/metrics").await;
    assert_eq!(status, 200);
    let count = |line: &str| {
        let found = metrics.lines().find_map(|it| it.strip_prefix(line));
        found.unwrap_or_else(|| panic!("no {line} in\n{metrics}")).trim().parse::<f64>().unwrap()
    };
    let decisions = "portreeve_decisions_total{listener=\"public\",outcome=";
    assert_eq!(count(&format!("{decisions}\"allow\",reason=\"allowed\"}}")), 2.0);
    assert_eq!(count(&format!("{decisions}\"deny\",reason=\"not_allowed\"}}")), 3.0);
    let requests = "portreeve_requests_total{listener=\"public\",route=";
    assert_eq!(count(&format!("{requests}\"default\",code_class=\"2xx\"}}")), 2.0);
    assert_eq!(count(&format!("{requests}\"default\",code_class=\"4xx\"}}")), 3.0);
    assert_eq!(count(&format!("{requests}\"none\",code_class=\"4xx\"}}")), 1.0);
    let handshakes = "portreeve_handshakes_total{result=";
    assert_eq!(count(&format!("{handshakes}\"ok\",reason=\"\"}}")), 1.0);
    assert_eq!(count(&format!("{handshakes}\"refused\",reason=\"tls.not_tls\"}}")), 3.0);
    assert_eq!(count("portreeve_connections{state=\"serving\"}"), 1.0);
    assert_eq!(
        count("portreeve_policy_activations_total{result=\"activated\",stage=\"swap\"}"),
        1.0
    );
    let revision = format!("portreeve_policy_info{{revision=\"{}\"}}", world.repo.head());
    assert_eq!(count(&revision), 1.0);
    for told in [&metrics, &probe(health, "/readyz?verbose").await.1] {
        for hidden in ["secret", "spiffe://", "demo.test", "/a", "127.0.0.1", WEB] {
            assert!(!told.contains(hidden), "{hidden} in\n{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_socket_is_for_its_user_alone_and_tells_all_that_an_operator_asks() {
    let world = World::new();
    let process = world.run().await;
    let address = process.address().await;
    let mode = std::fs::metadata(process.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut callers = Vec::new();
    for alpn in BOTH {
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        caller.get("/a").await.unwrap();
        callers.push(caller);
    }
    let status: Status = serde_json::from_value(process.status().await.unwrap()).unwrap();
    assert!(status.readiness.is_ready());
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    let identity = status.identity.unwrap();
    assert_eq!(identity.spiffe_id, ORDERS);
    assert_eq!(identity.trust_domains, ["demo.test"]);
    assert!(identity.not_after > status.now);
    let policy = status.policy.unwrap();
    assert_eq!(policy.commit, world.repo.head());
    assert!(policy.digest.starts_with("sha256:"), "{}", policy.digest);
    assert_eq!(policy.last_error, None);
    assert_eq!(status.log.sequence, world.records().len() as u64 + 1);
    assert_eq!((status.log.durability.as_str(), status.log.lost), ("written", 0));
    let [listener] = &status.listeners[..] else { panic!("{:?}", status.listeners) };
    assert_eq!((&*listener.name, &*listener.mode, listener.connections), ("public", "enforce", 2));
    // It takes no file of its own with it.
    let socket = process.socket();
    drop(callers);
    process.signal(rustix::process::Signal::TERM);
    until("the socket to go", async || !socket.exists()).await;
}
