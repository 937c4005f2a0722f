//! A policy that changes while exchanges are in flight: each is decided again, a denied one ends alone.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming};
use serde_json::Value;
use tokio::time::timeout;

use crate::support::*;

mod many;
mod streams;
mod tunnels;
mod unanswered;

/// Permits `/keep…` and nothing else.
const KEEP: &str = "permit(principal, action in Action::\"http\", resource)
  when { context.path like \"/keep*\" };\n";
/// Permits `/keep…` and raises for all else.
const KEEP_OR_RAISE: &str = "permit(principal, action in Action::\"http\", resource)
  when { context.path like \"/keep*\" || 9223372036854775807 + 1 == 0 };\n";
const KEEP_IN_REGO: &str = "package authz

default allow := false

allow if startswith(input.request.path, \"/keep\")
";
const KEEP_OR_RAISE_IN_REGO: &str = "package authz

default allow := false

allow if startswith(input.request.path, \"/keep\")

allow if {
\tnot startswith(input.request.path, \"/keep\")
\tto_number(input.request.path) == 1
}
";

/// Replaces the policy and waits until it is the active one.
async fn change(scene: &Scene, file: &str, text: &str) {
    scene.repository.git(&["rm", "--quiet", "-r", "."]);
    scene.repository.commit(&[(file, text)]);
    let commit = scene.repository.head();
    scene.sidecar.store().refresh();
    let active = || scene.sidecar.store().active();
    let is_active = || active().is_some_and(|bundle| *bundle.revision.commit == *commit);
    scene.until("activated", is_active).await;
}

/// Waits until so many exchanges were decided again.
async fn decided_again(scene: &Scene, count: usize) {
    scene.until("decided again", || again(&scene.records()).len() >= count).await;
}

/// The decisions on exchanges in flight.
fn again(records: &[Value]) -> Vec<&Value> {
    decisions(records).into_iter().filter(|record| record.get("of").is_some()).collect()
}

/// The record that is told apart by its path.
fn first_of<'a>(records: &'a [Value], path: &str) -> &'a Value {
    let is_it = |it: &&&Value| text(it, "/request/path") == path && it.get("of").is_none();
    decisions(records).iter().find(is_it).unwrap()
}

/// All of a log, held against the schema, with one decision again for each path.
#[track_caller]
fn check_again(records: &[Value], outcomes: &[(&str, &str)]) {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = include_str!("../../../schemas/record.json");
        jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
    });
    for record in records {
        assert!(SCHEMA.is_valid(record), "{record}");
    }
    let mut found: Vec<_> = again(records)
        .into_iter()
        .map(|record| {
            let path = text(record, "/request/path");
            let first = first_of(records, &path);
            assert_eq!(text(record, "/of"), text(first, "/seq"));
            assert_ne!(text(record, "/policy/digest"), text(first, "/policy/digest"));
            assert_eq!(record["source"], first["source"]);
            (path, text(record, "/decision/outcome"))
        })
        .collect();
    found.sort();
    let mut expected: Vec<_> = outcomes
        .iter()
        .map(|(path, outcome)| ((*path).to_owned(), (*outcome).to_owned()))
        .collect();
    expected.sort();
    assert_eq!(found, expected);
}

/// The flags of the one `end` record of a path's exchange.
#[track_caller]
fn end_of(records: &[Value], path: &str) -> (String, String) {
    let first = first_of(records, path);
    let is_its = |end: &&&Value| text(end, "/of") == text(first, "/seq");
    let ends = of_kind(records, "end");
    let ends: Vec<_> = ends.iter().filter(is_its).collect();
    assert_eq!(ends.len(), 1, "{path}: {ends:?}");
    assert_eq!(ends[0]["id"], first["id"]);
    (text(ends[0], "/response/status"), text(ends[0], "/flags"))
}

/// The open ends of responses, by path: what a test sends there, the upstream answers.
#[derive(Clone, Default)]
struct Streams(Arc<Mutex<BTreeMap<String, Frames<Broken>>>>);

impl Streams {
    /// Answers at once with a body that a test goes on with.
    fn respond(&self) -> Respond {
        let streams = self.clone();
        respond(move |arrived| {
            let streams = streams.clone();
            async move {
                let (sender, body) = framed();
                let path = arrived.request.uri().path().to_owned();
                streams.0.lock().unwrap().insert(path, sender);
                let stream = Response::builder().header("content-type", "text/event-stream");
                stream.body(body).unwrap()
            }
        })
    }

    /// Takes a body's open end out; dropped, it ends the body.
    fn take(&self, path: &str) -> Frames<Broken> {
        self.0.lock().unwrap().remove(path).unwrap()
    }

    async fn send(&self, path: &str, text: &'static str) {
        let sender = self.0.lock().unwrap().get(path).unwrap().clone();
        sender.send(Ok(Frame::data(Bytes::from_static(text.as_bytes())))).await.unwrap();
    }
}

/// What comes next of a body.
async fn next(body: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    timeout(PATIENCE, body.frame()).await.unwrap()
}

async fn next_text(body: &mut Incoming) -> String {
    let bytes = next(body).await.unwrap().unwrap().into_data().unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Whether nothing but the end follows.
async fn is_at_its_end(body: Incoming) -> bool {
    timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes().is_empty()
}
