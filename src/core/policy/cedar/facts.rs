//! From an `AccessRequest` to what Cedar evaluates: the principal once per connection, the context and
//! the tags per request, and of these only what some policy reads.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use cedar_policy::{
    Context, ContextCreationError, Entity, EntityAttrEvaluationError, EntityUid,
    RestrictedExpression as Value,
};
use serde_json::Value as Json;

use super::reads::Reads;
use super::words::{Words, named};
use crate::Timestamp;
use crate::request::{AccessRequest, ConnectionFacts, TlsFacts};
use crate::spiffe::CertificateFacts;

/// The caller as Cedar wants it: what follows from the connection alone, whatever the bundle.
#[derive(Debug, Default)]
pub(in crate::policy) struct ConnectionValues(OnceLock<Caller>);

/// What policies seldom read is built when one does: Cedar takes some 50,000 instructions for the
/// constructor of an address or a time.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) principal: EntityUid,
    source_ip: OnceLock<Value>,
    tls: OnceLock<Option<Value>>,
    certificate: OnceLock<Option<Value>>,
}

impl ConnectionValues {
    pub(super) fn caller(&self, words: &Words, connection: &ConnectionFacts) -> &Caller {
        self.0.get_or_init(|| Caller {
            principal: match &connection.source.spiffe_id {
                Some(id) => named(&words.workload, id.as_str()),
                None => words.anonymous.clone(),
            },
            source_ip: OnceLock::new(),
            tls: OnceLock::new(),
            certificate: OnceLock::new(),
        })
    }
}

impl Caller {
    fn source_ip(&self, connection: &ConnectionFacts) -> Value {
        let build = || Value::new_ip(connection.source.address.ip().to_string());
        self.source_ip.get_or_init(build).clone()
    }

    fn tls(&self, connection: &ConnectionFacts) -> Option<Value> {
        self.tls.get_or_init(|| connection.tls.as_ref().and_then(tls)).clone()
    }

    fn certificate(&self, connection: &ConnectionFacts) -> Option<Value> {
        let build = || connection.source.certificate.as_ref().and_then(certificate);
        self.certificate.get_or_init(build).clone()
    }
}

/// One attribute of the context: its name, and how it is built.
#[derive(Clone, Copy, Debug)]
struct Attribute {
    name: &'static str,
    value: fn(&Facts<'_>) -> Option<Value>,
}

/// What an attribute is built from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) words: &'a Words,
    pub(super) caller: &'a Caller,
    pub(super) request: &'a AccessRequest,
}

/// The type `Http` of the schema, attribute for attribute.
static ATTRIBUTES: [Attribute; 15] = [
    attribute("direction", |facts| text(facts.request.direction.as_str())),
    attribute("method", |facts| text(facts.request.head.method.as_str())),
    attribute("scheme", |facts| text(facts.request.head.scheme.as_str())),
    attribute("host", |facts| text(&facts.request.head.host)),
    attribute("path", |facts| text(facts.request.head.path())),
    attribute("segments", |facts| Some(strings(facts.request.head.segments()))),
    attribute("segment_count", |facts| {
        i64::try_from(facts.request.head.segments().count()).ok().map(Value::new_long)
    }),
    attribute("query", |facts| Some(Value::new_entity_uid(facts.words.query.clone()))),
    attribute("headers", |facts| Some(Value::new_entity_uid(facts.words.headers.clone()))),
    attribute("protocol", |facts| text(facts.request.head.protocol.as_str())),
    attribute("source_ip", |facts| Some(facts.caller.source_ip(&facts.request.connection))),
    attribute("now", |facts| Some(moment(facts.request.time))),
    attribute("tls", |facts| facts.caller.tls(&facts.request.connection)),
    attribute("certificate", |facts| facts.caller.certificate(&facts.request.connection)),
    attribute("jwt", |facts| {
        facts.request.connection.source.jwt.as_ref()?;
        let claims = Value::new_entity_uid(facts.words.claims.clone());
        Value::new_record([("claims".to_owned(), claims)]).ok() // fails on equal names only
    }),
];

const fn attribute(name: &'static str, value: fn(&Facts<'_>) -> Option<Value>) -> Attribute {
    Attribute { name, value }
}

fn text(text: &str) -> Option<Value> {
    Some(Value::new_string(text.to_owned()))
}

/// A set of [`ATTRIBUTES`], a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes(u16);

impl Attributes {
    pub(super) fn among(reads: &Reads) -> Self {
        let bits = (0..).zip(&ATTRIBUTES).filter(|(_, attribute)| reads.attribute(attribute.name));
        Self(bits.fold(0, |all, (bit, _): (u32, _)| all | (1 << bit)))
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    fn iter(self) -> impl Iterator<Item = &'static Attribute> {
        let is_in = move |bit: u32| self.0 & (1 << bit) != 0;
        (0..).zip(&ATTRIBUTES).filter(move |(bit, _)| is_in(*bit)).map(|(_, attribute)| attribute)
    }
}

pub(super) fn context(
    attributes: Attributes,
    facts: Facts<'_>,
) -> Result<Context, Box<ContextCreationError>> {
    let pairs = attributes.iter().filter_map(|Attribute { name, value }| {
        value(&facts).map(|value| ((*name).to_owned(), value))
    });
    Context::from_pairs(pairs).map_err(Box::new)
}

/// The entities whose tags are the request's headers, query and claims, where the context names them; of their
/// tags those that are read.
pub(super) fn tagged(
    words: &Words,
    attributes: Attributes,
    reads: &Reads,
    request: &AccessRequest,
) -> Result<Vec<Entity>, Box<EntityAttrEvaluationError>> {
    let is_in = |name: &str| attributes.iter().any(|attribute| attribute.name == name);
    let mut entities = Vec::new();
    if is_in("headers") {
        let headers = request.head.headers.iter();
        let pairs = headers.filter(|(name, _)| reads.tag(name.as_str())).map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        entities.push(with_tags(&words.headers, pairs)?);
    }
    if is_in("query") {
        let pairs = request.head.query_pairs().filter(|(key, _)| reads.tag(key));
        entities.push(with_tags(&words.query, pairs)?);
    }
    if let Some(jwt) = &request.connection.source.jwt
        && is_in("jwt")
    {
        let read = jwt.claims.iter().filter(|(name, _)| reads.tag(name));
        let pairs = read.flat_map(|(name, claim)| {
            texts(claim).into_iter().map(move |text| (name.clone(), text))
        });
        entities.push(with_tags(&words.claims, pairs)?);
    }
    Ok(entities)
}

/// The values of a claim as texts.
fn texts(claim: &Json) -> Vec<String> {
    let text = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    };
    if let Json::Array(values) = claim {
        return values.iter().filter_map(text).collect();
    }
    text(claim).into_iter().collect()
}

fn with_tags(
    uid: &EntityUid,
    pairs: impl Iterator<Item = (String, String)>,
) -> Result<Entity, Box<EntityAttrEvaluationError>> {
    let mut tags: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, value) in pairs {
        tags.entry(name).or_default().push(Value::new_string(value));
    }
    let tags = tags.into_iter().map(|(name, values)| (name, Value::new_set(values)));
    Entity::new_with_tags(uid.clone(), [], [], tags).map_err(Box::new)
}

pub(super) fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    Value::new_set(texts.map(|text| Value::new_string(text.to_owned())))
}

fn tls(facts: &TlsFacts) -> Option<Value> {
    let text = |name: &str, text: &str| (name.to_owned(), Value::new_string(text.to_owned()));
    let mut fields =
        vec![text("version", &facts.version), text("cipher_suite", &facts.cipher_suite)];
    fields.extend(facts.alpn.as_deref().map(|alpn| text("alpn", alpn)));
    fields.extend(facts.sni.as_deref().map(|sni| text("sni", sni)));
    Value::new_record(fields).ok() // fails on equal names only
}

fn certificate(facts: &CertificateFacts) -> Option<Value> {
    let text = |name: &str, text: &str| (name.to_owned(), Value::new_string(text.to_owned()));
    let fields = [
        text("serial", &facts.serial),
        text("sha256", &facts.sha256),
        text("issuer", &facts.issuer),
        ("not_before".to_owned(), moment(facts.not_before)),
        ("not_after".to_owned(), moment(facts.not_after)),
    ];
    Value::new_record(fields).ok() // fails on equal names only
}

/// Cedar reads exactly three digits of a second.
fn moment(time: Timestamp) -> Value {
    let text = time.to_string();
    let to_milliseconds = text.len().saturating_sub("456Z".len());
    Value::new_datetime(format!("{}Z", text.get(..to_milliseconds).unwrap_or(&text)))
}
