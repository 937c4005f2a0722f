use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};

use portreeve_core::Timestamp;

use super::*;
use crate::identity::Denial;

const SECRET_TEXT: &str = "spiffe://td/orders expired";

/// A report whose parts a test sets.
struct Fixed(Mutex<Vec<Part>>);

impl Report for Fixed {
    fn readiness(&self) -> Readiness {
        Readiness { parts: self.0.lock().unwrap().clone() }
    }

    fn status(&self) -> Status {
        Status {
            version: "0".to_owned(),
            service: "orders".to_owned(),
            started: Timestamp::from_unix_seconds(0),
            now: Timestamp::from_unix_seconds(1),
            readiness: self.readiness(),
            identity: None,
            identity_source: IdentitySourceStatus::default(),
            jwt_bundles: None,
            blocked: 0,
            policy: None,
            log: LogStatus {
                target: "stdout".to_owned(),
                durability: "written".to_owned(),
                sequence: 1,
                queue_length: 0,
                lost: 0,
                last_error: None,
            },
            listeners: vec![],
            health: None,
        }
    }

    fn metrics(&self, accept: Option<&str>) -> (&'static str, String) {
        ("text/plain", format!("metrics for {}\n", accept.unwrap_or("all")))
    }
}

/// The changes that were asked for.
#[derive(Default)]
struct Changes(Mutex<Vec<String>>);

impl Control for Changes {
    fn blocked(&self) -> Vec<Denial> {
        Vec::new()
    }

    fn block(&self, block: Block, user: u32) -> Result<Denial, Refused> {
        if block.reason.is_empty() {
            return Err(Refused { text: "no reason".to_owned() });
        }
        self.0.lock().unwrap().push(format!("{block:?} by {user}"));
        let Block { spiffe_id, reason, .. } = block;
        Ok(Denial { spiffe_id, reason, since: Timestamp::from_unix_seconds(1), until: None })
    }

    fn unblock(&self, spiffe_id: &str, _user: u32) -> Result<Option<Denial>, Refused> {
        self.0.lock().unwrap().push(format!("unblock {spiffe_id}"));
        Ok(None)
    }
}

fn fixed(parts: Vec<Part>) -> Arc<Fixed> {
    Arc::new(Fixed(Mutex::new(parts)))
}

fn ready() -> Vec<Part> {
    vec![Part::ready("identity"), Part::ready("policy")]
}

fn expired() -> Vec<Part> {
    let part = Part::not_ready("identity", "identity.expired", SECRET_TEXT);
    vec![part, Part::ready("policy")]
}

fn health(report: Arc<Fixed>) -> (SocketAddr, Server) {
    let settings = HealthSettings { address: Some("127.0.0.1:0".parse().unwrap()) };
    let bound = BoundHealth::bind(&settings).unwrap().unwrap();
    (bound.address(), bound.serve(report).unwrap())
}

/// Status, headers and body, as they stand on the wire.
fn ask(mut stream: impl std::io::Read + std::io::Write, head: &str) -> String {
    let _ = stream.write_all(head.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn get(address: SocketAddr, path: &str) -> (String, String) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: a/b\r\n\r\n");
    let answer = ask(TcpStream::connect(address).unwrap(), &head);
    let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, body.to_owned())
}

#[track_caller]
fn check_health(parts: Vec<Part>, path: &str, status: &str, body: &str) {
    let (address, _server) = health(fixed(parts));
    assert_eq!(get(address, path), (status.to_owned(), body.to_owned()), "{path}");
}

#[test]
fn readiness_names_the_failing_parts() {
    check_health(ready(), "/readyz", "200", "ready\n");
    check_health(expired(), "/readyz", "503", "not ready\nidentity not_ready identity.expired\n");
    let both = "not ready\nidentity not_ready identity.expired\npolicy ready\n";
    check_health(expired(), "/readyz?verbose", "503", both);
    check_health(vec![], "/readyz", "503", "not ready\n");
}

#[test]
fn degraded_is_ready_and_says_why() {
    let parts = vec![Part::ready("identity"), Part::degraded("policy", "policy.stale", "old")];
    check_health(parts, "/readyz", "200", "ready, degraded\npolicy degraded policy.stale\n");
}

#[test]
fn liveness_asks_no_part() {
    check_health(expired(), "/livez", "200", "live\n");
}

#[test]
fn metrics_are_negotiated_by_the_report() {
    check_health(ready(), "/metrics", "200", "metrics for a/b\n");
}

#[test]
fn nothing_else_is_there_and_nothing_changes() {
    check_health(ready(), "/status", "404", "not found\n");
    check_health(ready(), "/readyz/", "404", "not found\n");
    let (address, _server) = health(fixed(ready()));
    let answer =
        ask(TcpStream::connect(address).unwrap(), "POST /readyz HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET\r\n"), "{answer}");
}

#[test]
fn once_started_is_started_for_good() {
    let report = fixed(expired());
    let (address, _server) = health(Arc::clone(&report));
    assert_eq!(get(address, "/startupz").0, "503");
    *report.0.lock().unwrap() = ready();
    assert_eq!(get(address, "/startupz").0, "200");
    *report.0.lock().unwrap() = expired();
    assert_eq!(get(address, "/startupz").0, "200");
    assert_eq!(get(address, "/readyz").0, "503");
}

#[test]
fn the_health_server_names_no_identity() {
    let (address, _server) = health(fixed(expired()));
    for path in ["/readyz", "/readyz?verbose", "/livez", "/startupz"] {
        assert!(!get(address, path).1.contains("spiffe://"), "{path}");
    }
}

#[test]
fn silent_connections_of_one_address_do_not_keep_another_out() {
    let (address, _server) = health(fixed(ready()));
    let silent: Vec<_> = (0..16).map(|_| TcpStream::connect(address).unwrap()).collect();
    // The seventeenth of this address is closed without an answer.
    assert_eq!(get(address, "/livez").0, "");
    drop(silent);
}

#[test]
fn an_endless_head_is_refused() {
    let (address, _server) = health(fixed(ready()));
    let head = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(64 << 10));
    let answer = ask(TcpStream::connect(address).unwrap(), &head);
    assert!(!answer.contains(" 200 "), "{answer}");
}

#[test]
fn a_server_ends_when_it_is_dropped() {
    let (address, server) = health(fixed(ready()));
    assert_eq!(get(address, "/livez").0, "200");
    server.stop();
    assert!(TcpStream::connect(address).is_err());
}

fn admin(dir: &Path, report: Arc<Fixed>) -> (PathBuf, Server) {
    let socket = dir.join("private/admin.sock");
    let bound = BoundAdmin::bind(&Settings { socket: socket.clone() }).unwrap();
    (socket, bound.serve(report, Arc::new(Changes::default())).unwrap())
}

fn ask_admin(socket: &Path, method: &str, path: &str, host: &str) -> String {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    ask(UnixStream::connect(socket).unwrap(), &head)
}

#[test]
fn the_admin_socket_is_private_from_its_first_moment() {
    let dir = tempfile::tempdir().unwrap();
    let (socket, server) = admin(dir.path(), fixed(ready()));
    let mode = |path: &Path| std::fs::symlink_metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
    server.stop();
    assert!(!socket.exists());
}

#[tokio::test]
async fn the_client_reads_status_and_readiness() {
    let dir = tempfile::tempdir().unwrap();
    let (socket, _server) = admin(dir.path(), fixed(expired()));
    let status = client::get(&socket, "/status").await.unwrap();
    assert_eq!(status["service"], "orders");
    let readiness = client::get(&socket, "/readyz").await.unwrap();
    assert_eq!(readiness["ready"], false);
    assert_eq!(readiness["parts"][0]["reason"], "identity.expired");
    assert_eq!(readiness["parts"][0]["text"], SECRET_TEXT);
    let error = client::get(&socket, "/nothing").await.unwrap_err();
    assert_eq!(error.to_string(), "the sidecar answered 404 Not Found to `/nothing`");
}

#[test]
fn a_foreign_host_and_a_change_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (socket, _server) = admin(dir.path(), fixed(ready()));
    for (method, path, host, status) in [
        ("GET", "/status", "localhost", "200"),
        ("GET", "/status", "evil.example.org", "421"),
        ("GET", "/status", "", "421"),
        ("POST", "/status", "localhost", "405"),
        ("DELETE", "/readyz", "portreeve", "405"),
        ("GET", "/metrics", "localhost", "404"),
        ("GET", "/blocked", "localhost", "200"),
        ("POST", "/blocked", "localhost", "405"),
        ("GET", "/block", "localhost", "405"),
        ("POST", "/block", "localhost", "415"),
        ("POST", "/block", "evil.example.org", "421"),
        ("GET", "/readyz", "portreeve", "200"),
    ] {
        let answer = ask_admin(&socket, method, path, host);
        assert_eq!(answer.split(' ').nth(1), Some(status), "{method} {path} {host}: {answer}");
        for header in ["cache-control: no-store", "x-content-type-options: nosniff"] {
            assert!(answer.contains(header), "{header}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_change_is_asked_for_in_json_and_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    let bound = BoundAdmin::bind(&Settings { socket: socket.clone() }).unwrap();
    let changes = Arc::new(Changes::default());
    let _server = bound.serve(fixed(ready()), Arc::clone(&changes) as _).unwrap();
    let block = |reason: &str| Block {
        spiffe_id: "spiffe://td/web".to_owned(),
        reason: reason.to_owned(),
        for_seconds: None,
    };
    let answer = client::post(&socket, "/block", &block("its key leaked")).await.unwrap();
    assert_eq!(answer["blocked"]["spiffe_id"], "spiffe://td/web");
    let error = client::post(&socket, "/block", &block("")).await.unwrap_err();
    assert_eq!(error.to_string(), "the sidecar refused `/block`: no reason");
    let error = client::post(&socket, "/unblock", &block("r")).await.unwrap_err().to_string();
    assert!(error.contains("not understood: unknown field `reason`"), "{error}");
    let error = client::post(&socket, "/block", &"x".repeat(64 << 10)).await.unwrap_err();
    assert_eq!(error.to_string(), "the sidecar answered 413 Payload Too Large to `/block`");
    let made = changes.0.lock().unwrap().clone();
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(made[0].contains(&format!("by {}", rustix::process::geteuid().as_raw())), "{made:?}");
}

#[test]
fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    let settings = Settings { socket: socket.clone() };
    drop(UnixListener::bind(&socket).unwrap());
    let living = BoundAdmin::bind(&settings).unwrap();
    assert!(matches!(BoundAdmin::bind(&settings), Err(ServeError::Taken { .. })));
    drop(living);
    assert!(!socket.exists());
    std::fs::write(&socket, "precious").unwrap();
    assert!(matches!(BoundAdmin::bind(&settings), Err(ServeError::NotASocket { .. })));
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "precious");
}

#[test]
fn a_socket_that_another_took_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    let ours = BoundAdmin::bind(&Settings { socket: socket.clone() }).unwrap();
    std::fs::remove_file(&socket).unwrap();
    let theirs = UnixListener::bind(&socket).unwrap();
    drop(ours);
    assert!(socket.exists());
    drop(theirs);
}

#[test]
fn a_folder_that_is_there_keeps_its_mode() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let socket = dir.path().join("admin.sock");
    let bound = BoundAdmin::bind(&Settings { socket }).unwrap();
    assert_eq!(std::fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o755);
    drop(bound);
}
