//! Callers that prove themselves by certificate, by JWT-SVID, by both or by either, over the wire.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::time::Duration;

use portreeve::tls::Alpn;
use serde_json::Value;

use crate::support::*;

mod proofs;
mod keys;
mod files;
mod claims;
mod grpc;
mod secrets;

/// The audience that is ours.
const OURS: &str = "orders";
const HOUR: Duration = Duration::from_secs(3_600);

/// A sidecar whose callers prove themselves so, and which knows the keys to verify tokens with.
async fn scene(callers: &str, policies: Policies) -> Scene {
    Setup { policies, listener: listener(callers), ..Setup::default() }.start().await
}

/// Members of the listener.
fn listener(callers: &str) -> String {
    let audience = if callers == "x509" { "" } else { "\n    audience: [other, orders]" };
    format!("\n    callers: {callers}{audience}")
}

/// The value of `Authorization` with a token of this workload.
fn bearer(scene: &Scene, spiffe_id: &str) -> String {
    bearer_for(scene, spiffe_id, OURS, HOUR)
}

fn bearer_for(scene: &Scene, spiffe_id: &str, audience: &str, ttl: Duration) -> String {
    let audience = [audience.to_owned()];
    let token = scene.workload_api.issue_jwt(&id(spiffe_id), &audience, ttl).unwrap();
    format!("Bearer {token}")
}

/// A connection with this certificate, or without one.
async fn connect(scene: &Scene, certificate: Option<&str>, alpn: &str) -> Client {
    let Some(spiffe_id) = certificate else {
        let wanted = if alpn == "h2" { Alpn::Http2 } else { Alpn::Http1 };
        let stream = handshake_without_svid(scene.address(), &scene.workload_api, wanted).await;
        return Client::over(stream.unwrap(), alpn == "h2").await;
    };
    scene.client(spiffe_id, alpn).await
}

/// Asks for an order with these values of `Authorization`.
async fn ask(client: &mut Client, authorizations: &[&str]) -> Answer {
    let headers: Vec<_> = authorizations.iter().map(|value| ("authorization", *value)).collect();
    client.ask(request("GET", "/orders/1", &headers, empty())).await
}

/// Why the request of this answer was refused, as the log says.
#[track_caller]
fn reason_of(records: &[Value], answer: &Answer) -> String {
    let id = Value::from(answer.decision_id());
    let has_id = |record: &&Value| record["refused"]["ids"].as_array().unwrap().contains(&id);
    let record = of_kind(records, "refused").into_iter().find(has_id);
    text(record.unwrap(), "/refused/reason")
}

/// That nobody was proven, said in few words.
#[track_caller]
fn check_refused(answer: &Answer) {
    assert_eq!(answer.status.as_u16(), 401);
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    let id = answer.decision_id();
    let body = format!("{{\"error\":\"the caller is not admitted\",\"decision_id\":\"{id}\"}}\n");
    assert_eq!(answer.text(), body);
}
