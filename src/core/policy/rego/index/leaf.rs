//! One value of the input, read from the request itself where that is possible, and from the input
//! document otherwise.

use std::borrow::Cow;

use http::HeaderName;
use regorus::Value;
use serde_json::Value as Json;

use super::super::subject::Subject;
use super::facts::fact;
use crate::request::{AccessRequest, Body};
use crate::spiffe::SpiffeId;

/// What stands at a path of the input; nothing stands there where it is `Undefined`.
#[derive(Clone, Debug)]
pub(super) enum Leaf<'a> {
    Undefined,
    Text(Cow<'a, str>),
    Other(Value),
}

/// A static path below `input`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct InputPath(pub(super) Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A path and how it is read.
#[derive(Debug)]
pub(super) struct Place {
    /// As the engine indexes.
    keys: Vec<Value>,
    source: Source,
}

pub(super) type Fact = for<'a> fn(&'a AccessRequest) -> Leaf<'a>;

#[derive(Debug)]
enum Source {
    Fact(Fact),
    Header(HeaderName, usize),
    Query(String, usize),
    Segment(usize),
    CallerSegment(usize),
    Claim(Vec<Step>),
    Body(Vec<Step>),
    /// Only the document has it.
    Document,
}

impl Place {
    pub(super) fn of(path: &InputPath) -> Self {
        let key = |step: &Step| match step {
            Step::Key(key) => Value::from(key.as_str()),
            Step::Index(index) => Value::from(*index as u64),
        };
        Self { keys: path.0.iter().map(key).collect(), source: Source::of(path) }
    }

    /// The value at this path.
    pub(super) fn read<'a>(&self, subject: &'a Subject<'_>) -> Leaf<'a> {
        let Some(request) = subject.request() else { return self.in_document(subject) };
        match &self.source {
            Source::Fact(read) => read(request),
            Source::Header(name, index) => {
                match request.head.headers.get_all(name).iter().nth(*index) {
                    Some(value) => Leaf::Text(String::from_utf8_lossy(value.as_bytes())),
                    None => Leaf::Undefined,
                }
            }
            Source::Query(key, index) => {
                let of_key = request.head.query_pairs().filter(|(name, _)| name == key);
                of_key.map(|(_, value)| value).nth(*index).map_or(Leaf::Undefined, Leaf::text)
            }
            Source::Segment(index) => {
                request.head.segments().nth(*index).map_or(Leaf::Undefined, Leaf::text)
            }
            Source::CallerSegment(index) => {
                let id = request.connection.source.spiffe_id.as_ref();
                let segment = id.and_then(|id| SpiffeId::segments(id).nth(*index));
                segment.map_or(Leaf::Undefined, Leaf::text)
            }
            Source::Claim(rest) => {
                let Some(jwt) = &request.connection.source.jwt else { return Leaf::Undefined };
                match rest.split_first() {
                    Some((Step::Key(claim), rest)) => {
                        jwt.claims.get(claim).map_or(Leaf::Undefined, |claim| json(claim, rest))
                    }
                    Some((Step::Index(_), _)) | None => Leaf::Undefined,
                }
            }
            Source::Body(rest) => match &request.body {
                Body::Parsed(body) => json(body, rest),
                Body::NotRead | Body::Truncated if rest.is_empty() => Leaf::Other(Value::Null),
                Body::NotRead | Body::Truncated => Leaf::Undefined,
            },
            Source::Document => self.in_document(subject),
        }
    }

    fn in_document<'a>(&self, subject: &'a Subject<'_>) -> Leaf<'a> {
        let mut value = subject.document();
        for key in &self.keys {
            value = &value[key];
        }
        if let Value::String(text) = value {
            Leaf::Text(Cow::Borrowed(text))
        } else if let Value::Undefined = value {
            Leaf::Undefined
        } else {
            Leaf::Other(value.clone())
        }
    }
}

impl Source {
    fn of(path: &InputPath) -> Self {
        let steps = path.0.as_slice();
        if let Some(fact) = fact(path) {
            return Self::Fact(fact);
        }
        let key = |step: &Step, name: &str| matches!(step, Step::Key(key) if key == name);
        let is_at = |names: &[&str]| {
            steps.len() > names.len() && steps.iter().zip(names).all(|(step, name)| key(step, name))
        };
        match steps {
            [_, _, Step::Key(name), Step::Index(index)] if is_at(&["request", "headers"]) => {
                // Names are in lower case in the document; another spelling is never there.
                match HeaderName::from_bytes(name.as_bytes()) {
                    Ok(known) if known.as_str() == name => Self::Header(known, *index),
                    Ok(_) | Err(_) => Self::Document,
                }
            }
            [_, _, Step::Key(name), Step::Index(index)] if is_at(&["request", "query"]) => {
                Self::Query(name.clone(), *index)
            }
            [_, _, Step::Index(index)] if is_at(&["request", "segments"]) => Self::Segment(*index),
            [_, _, Step::Index(index)] if is_at(&["source", "segments"]) => {
                Self::CallerSegment(*index)
            }
            [_, _, _, rest @ ..] if is_at(&["source", "jwt", "claims"]) => {
                Self::Claim(rest.to_vec())
            }
            [_, _, rest @ ..] if is_at(&["request", "body"]) => Self::Body(rest.to_vec()),
            _ => Self::Document,
        }
    }
}

impl<'a> Leaf<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// A text, or null where nothing is known.
    pub(super) fn known(text: Option<&'a str>) -> Self {
        text.map_or(Leaf::Other(Value::Null), Leaf::text)
    }
}

/// What a JSON value has at a path, as the engine indexes.
fn json<'a>(value: &'a Json, path: &[Step]) -> Leaf<'a> {
    let mut value = value;
    for step in path {
        let next = match step {
            Step::Key(key) => value.as_object().and_then(|object| object.get(key)),
            Step::Index(index) => value.as_array().and_then(|array| array.get(*index)),
        };
        match next {
            Some(next) => value = next,
            None => return Leaf::Undefined,
        }
    }
    match value {
        Json::String(text) => Leaf::Text(Cow::Borrowed(text)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            Leaf::Other(Value::from(value.clone()))
        }
    }
}
