//! The options that name peers and requests, and what they leave to the bundle.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use portreeve_core::policy::compare::{MAX_CELLS, Sample, Samples};
use serde_json::{Map, Value};

/// Above what the reader takes, so that a larger file is noticed.
const READ_LIMIT: u64 = (4 << 20) + 1;
/// The peer without identity, on the command line.
const ANONYMOUS: &str = "anonymous";
/// What may stand behind a path on the command line; a file has more.
const KEYS: [&str; 3] = ["route", "host", "service"];

/// Who asks and what is asked; what is not given is taken from the bundle itself.
#[derive(Debug, Default, clap::Args)]
pub(in crate::commands::policy) struct SampleArgs {
    /// Take the peers from FILE (schemas/policy-matrix.json, YAML or JSON)
    #[arg(long, value_name = "FILE", conflicts_with = "peer")]
    peers: Option<PathBuf>,
    /// A peer: a SPIFFE ID, or `anonymous`; may be given again
    #[arg(long, value_name = "SPIFFE_ID")]
    peer: Vec<String>,
    /// Take the requests from FILE, of the same form
    #[arg(long, value_name = "FILE", conflicts_with = "route")]
    routes: Option<PathBuf>,
    /// A request: `METHOD PATH [route=NAME] [host=NAME] [service=NAME]`; may be given again
    #[arg(long, value_name = "REQUEST")]
    route: Vec<String>,
}

impl SampleArgs {
    pub(in crate::commands::policy) fn is_given(&self) -> bool {
        self.peers.is_some()
            || self.routes.is_some()
            || !self.peer.is_empty()
            || !self.route.is_empty()
    }

    /// The samples that are named; a list is empty where its options are not given.
    ///
    /// # Errors
    /// A file cannot be read; something is no peer or no request.
    pub(in crate::commands::policy) fn read(&self) -> anyhow::Result<Samples> {
        let mut samples = Samples::default();
        if let Some(file) = &self.peers {
            samples.peers = read_file(file)?.peers;
            ensure!(!samples.peers.is_empty(), "`{}` names no peer", file.display());
        }
        if let Some(file) = &self.routes {
            samples.requests = read_file(file)?.requests;
            ensure!(!samples.requests.is_empty(), "`{}` names no request", file.display());
        }
        samples.peers.extend(self.peer.iter().map(|id| peer(id)));
        for text in &self.route {
            samples.add(Samples { peers: Vec::new(), requests: vec![request(text)?] });
        }
        samples.check().context("the samples are refused")?;
        Ok(samples)
    }
}

/// Fills an empty list with what a bundle gives, and keeps the decisions to what may be made. The
/// sentence says what was left out.
pub(in crate::commands::policy) fn completed(
    given: &Samples,
    derived: Samples,
) -> (Samples, Option<String>) {
    let mut samples = given.clone();
    if samples.peers.is_empty() {
        samples.peers = derived.peers;
    }
    if samples.requests.is_empty() {
        samples.requests = derived.requests;
    }
    let (peers, requests) = (samples.peers.len(), samples.requests.len());
    if peers.saturating_mul(requests) <= MAX_CELLS {
        return (samples, None);
    }
    samples.requests.truncate(MAX_CELLS);
    let kept = (MAX_CELLS / samples.requests.len().max(1)).max(1);
    samples.peers.truncate(kept);
    let (left_peers, left_requests) = (samples.peers.len(), samples.requests.len());
    let note = format!(
        "{peers} peers × {requests} requests are more than {MAX_CELLS} decisions: the first \
         {left_peers} peers and {left_requests} requests are shown"
    );
    (samples, Some(note))
}

fn read_file(path: &Path) -> anyhow::Result<Samples> {
    let shown = path.display();
    let reading = || format!("failed to read samples `{shown}`");
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(READ_LIMIT).read_to_string(&mut text))
        .with_context(reading)?;
    let is_json = path.extension().is_some_and(|end| end == "json");
    Samples::read(&text, is_json).with_context(reading)
}

fn peer(id: &str) -> Sample {
    let source = if id == ANONYMOUS { Value::Null } else { id.into() };
    let name = id.strip_prefix("spiffe://").unwrap_or(id).to_owned();
    Sample { name, facts: Map::from_iter([("source".to_owned(), source)]) }
}

fn request(text: &str) -> anyhow::Result<Sample> {
    let mut words = text.split_ascii_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        bail!("`{text}` is no request: write `METHOD PATH`, for example `GET /orders/1`");
    };
    let mut facts = Map::new();
    facts.insert("method".to_owned(), method.into());
    facts.insert("path".to_owned(), path.into());
    for word in words {
        match word.split_once('=') {
            Some((key, value)) if KEYS.contains(&key) => {
                facts.insert(key.to_owned(), value.into());
            }
            _ => bail!("`{word}` of `{text}` is none of `route=…`, `host=…`, `service=…`"),
        }
    }
    let mut sample = Sample { name: text.to_owned(), facts };
    if let Some(Value::String(shown)) = sample.shown().facts.get("path") {
        sample.name = text.replace(path, shown);
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(route: &str, expected: &str) {
        let args = SampleArgs { route: vec![route.to_owned()], ..SampleArgs::default() };
        let seen = match args.read() {
            Ok(samples) => Value::Object(samples.requests[0].facts.clone()).to_string(),
            Err(error) => format!("{error:#}"),
        };
        assert!(seen.contains(expected), "{seen}");
    }

    #[test]
    fn a_request_is_a_method_a_path_and_what_is_known_of_it() {
        check("GET /a", r#"{"method":"GET","path":"/a"}"#);
        check("PUT /a?b=c route=orders host=x", r#""path":"/a?b=c","route":"orders","host":"x"}"#);
        check("/a", "`/a` is no request: write `METHOD PATH`");
        check("GET /a user=x", "`user=x` of `GET /a user=x` is none of");
        check("GET a", "`GET a` cannot be asked");
    }

    #[test]
    fn the_name_of_a_request_has_no_values_of_its_query() {
        let names = |routes: &[&str]| {
            let route = routes.iter().map(|route| (*route).to_owned()).collect();
            let samples = SampleArgs { route, ..SampleArgs::default() }.read().unwrap();
            samples.requests.into_iter().map(|sample| sample.name).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(names(&["GET /a?token=S3cr3t route=b"]), "GET /a?token=*** route=b");
        assert_eq!(names(&["GET /a?x=1", "GET /a?x=2"]), "GET /a?x=***, GET /a?x=*** #2");
        assert_eq!(names(&["GET /a?all route=b"]), "GET /a?all route=b");
    }

    #[test]
    fn too_many_decisions_are_cut_and_said() {
        let sample = |n: usize| Sample { name: n.to_string(), facts: Map::new() };
        let given = Samples {
            peers: (0..2_000).map(sample).collect(),
            requests: (0..100).map(sample).collect(),
        };
        let (samples, note) = completed(&given, Samples::default());
        assert_eq!((samples.peers.len(), samples.requests.len()), (1_000, 100));
        assert!(note.unwrap().starts_with("2000 peers × 100 requests are more than 100000"));
        assert_eq!(completed(&Samples::default(), given).0.peers.len(), 1_000);
    }
}
