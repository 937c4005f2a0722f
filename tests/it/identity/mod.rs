//! What becomes of a sidecar when its identity's source fails: readiness, records, and whether traffic
//! goes on. The socket that is missing at the start and the SVID that is taken back without a grace are
//! with the operations.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use portreeve::admin::{IdentitySourceStatus, PartState};
use portreeve::dev::Issued;
use portreeve::tls::Alpn;
use serde_json::Value;

use crate::support::{Scene, WEB, handshake, id};

mod agent;
mod time;
mod doctor;

/// How ready the identity is, and why not more.
fn part(scene: &Scene) -> (PartState, String) {
    let readiness = scene.sidecar.report().readiness();
    let part = readiness.parts.iter().find(|part| part.name == "identity").unwrap();
    (part.state, part.reason.to_string())
}

async fn until_part(scene: &Scene, state: PartState, reason: &str) {
    scene.until(reason, || part(scene) == (state, reason.to_owned())).await;
}

fn source(scene: &Scene) -> IdentitySourceStatus {
    scene.sidecar.report().status().identity_source
}

/// An SVID of a caller, issued now.
fn web(scene: &Scene) -> Issued {
    scene.workload_api.issue(&id(WEB)).unwrap()
}

/// Whether a new connection is served.
async fn is_served(scene: &Scene, caller: &Issued) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let shaken = handshake(scene.address(), &scene.workload_api, caller, Alpn::Http1).await;
    let Ok(mut stream) = shaken else { return false };
    let request = b"GET /healthz HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n";
    if stream.write_all(request).await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer.starts_with(b"HTTP/1.1 200")
}

fn is_event<'a>(kind: &'a str, event: &'a str, reason: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |record| {
        record["kind"] == kind
            && record["event"] == event
            && (reason.is_empty() || record["reason"] == reason)
    }
}

fn is_refused<'a>(reason: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |record| record["kind"] == "refused" && record["refused"]["reason"] == reason
}
