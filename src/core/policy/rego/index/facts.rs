//! The paths of the input that a request answers by itself.

use regorus::Value;

use super::leaf::{Fact, InputPath, Leaf, Step};
use crate::request::{AccessRequest, TlsFacts};
use crate::spiffe::{CertificateFacts, SpiffeId};

/// How a request tells what stands at a path; `None` where only the document says it.
pub(super) fn fact(path: &InputPath) -> Option<Fact> {
    let names: Option<Vec<&str>> = path
        .0
        .iter()
        .map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
        .collect();
    let names = names?;
    let known = FACTS.iter().find(|(place, _)| *place == names);
    known.map(|(_, read)| *read)
}

/// As `input` has them; a test holds each against the document.
const FACTS: [(&[&str], Fact); 32] = [
    (&["destination", "address", "ip"], |r| ip(r.connection.destination.address)),
    (&["destination", "address", "port"], |r| port(r.connection.destination.address)),
    (&["destination", "service"], |r| Leaf::text(&*r.connection.destination.service)),
    (&["destination", "spiffe_id"], |r| {
        Leaf::known(r.connection.destination.spiffe_id.as_ref().map(SpiffeId::as_str))
    }),
    (&["request", "body_truncated"], |r| {
        Leaf::Other(Value::from(matches!(r.body, crate::request::Body::Truncated)))
    }),
    (&["request", "direction"], |r| Leaf::text(r.direction.as_str())),
    (&["request", "host"], |r| Leaf::text(&*r.head.host)),
    (&["request", "method"], |r| Leaf::text(r.head.method.as_str())),
    (&["request", "path"], |r| Leaf::text(r.head.path())),
    (&["request", "protocol"], |r| Leaf::text(r.head.protocol.as_str())),
    (&["request", "route"], |r| Leaf::text(&*r.route)),
    (&["request", "scheme"], |r| Leaf::text(r.head.scheme.as_str())),
    (&["source", "address", "ip"], |r| ip(r.connection.source.address)),
    (&["source", "address", "port"], |r| port(r.connection.source.address)),
    (&["source", "certificate", "issuer"], |r| certificate(r, |c| Leaf::text(&c.issuer))),
    (&["source", "certificate", "not_after"], |r| {
        certificate(r, |c| Leaf::text(c.not_after.to_string()))
    }),
    (&["source", "certificate", "not_before"], |r| {
        certificate(r, |c| Leaf::text(c.not_before.to_string()))
    }),
    (&["source", "certificate", "serial"], |r| certificate(r, |c| Leaf::text(&c.serial))),
    (&["source", "certificate", "sha256"], |r| certificate(r, |c| Leaf::text(&c.sha256))),
    (&["source", "path"], |r| Leaf::known(caller(r).map(SpiffeId::path))),
    (&["source", "spiffe_id"], |r| Leaf::known(caller(r).map(SpiffeId::as_str))),
    (&["source", "trust_domain"], |r| Leaf::known(caller(r).map(|id| id.trust_domain().as_str()))),
    (&["time"], |r| Leaf::text(r.time.to_string())),
    (&["tls", "alpn"], |r| tls(r, |tls| Leaf::known(tls.alpn.as_deref()))),
    (&["tls", "cipher_suite"], |r| tls(r, |tls| Leaf::text(&*tls.cipher_suite))),
    (&["tls", "sni"], |r| tls(r, |tls| Leaf::known(tls.sni.as_deref()))),
    (&["tls", "version"], |r| tls(r, |tls| Leaf::text(&*tls.version))),
    (&["attributes", "request", "http", "host"], |r| Leaf::text(&*r.head.host)),
    (&["attributes", "request", "http", "method"], |r| Leaf::text(r.head.method.as_str())),
    (&["attributes", "request", "http", "path"], |r| Leaf::text(r.head.target.as_str())),
    (&["attributes", "request", "http", "scheme"], |r| Leaf::text(r.head.scheme.as_str())),
    (&["attributes", "source", "principal"], |r| {
        caller(r).map_or(Leaf::Undefined, |id| Leaf::text(id.as_str()))
    }),
];

fn caller(request: &AccessRequest) -> Option<&SpiffeId> {
    request.connection.source.spiffe_id.as_ref()
}

fn ip<'a>(address: std::net::SocketAddr) -> Leaf<'a> {
    Leaf::text(address.ip().to_string())
}

fn port<'a>(address: std::net::SocketAddr) -> Leaf<'a> {
    Leaf::Other(Value::from(u32::from(address.port())))
}

fn certificate<'a>(
    request: &'a AccessRequest,
    read: fn(&'a CertificateFacts) -> Leaf<'a>,
) -> Leaf<'a> {
    request.connection.source.certificate.as_ref().map_or(Leaf::Undefined, read)
}

fn tls<'a>(request: &'a AccessRequest, read: fn(&'a TlsFacts) -> Leaf<'a>) -> Leaf<'a> {
    request.connection.tls.as_ref().map_or(Leaf::Undefined, read)
}

#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = InputPath> {
    let key = |name: &&str| Step::Key((*name).to_owned());
    FACTS.iter().map(move |(names, _)| InputPath(names.iter().map(key).collect()))
}
