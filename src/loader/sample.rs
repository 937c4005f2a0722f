//! The request that a candidate is tried with: complete, ordinary, and nobody's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use portreeve_core::Timestamp;
use portreeve_core::request::{
    AccessRequest, Body, CertificateFacts, ConnectionFacts, Destination, Direction, Enforcement,
    Head, Scheme, Source, TlsFacts,
};
use portreeve_core::spiffe::SpiffeId;

/// `GET /sample` by a workload of the trust domain `sample.invalid`, from a documentation address.
/// `None` cannot happen as long as these constants are valid, which a test shows.
pub(super) fn request() -> Option<AccessRequest> {
    let head = http::Request::get("/sample?key=value")
        .header("host", "service.sample.invalid")
        .header("user-agent", "portreeve-check");
    let (parts, ()) = head.body(()).ok()?.into_parts();
    let address = |last| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), 443);
    let time = Timestamp::from_unix_seconds(1_795_248_000);
    let source = Source {
        spiffe_id: Some(SpiffeId::parse("spiffe://sample.invalid/caller").ok()?),
        address: address(1),
        certificate: Some(CertificateFacts {
            serial: "01".to_owned(),
            sha256: "00".repeat(32),
            issuer: "CN=sample".to_owned(),
            not_before: time,
            not_after: time,
        }),
        jwt: None,
    };
    let destination = Destination {
        spiffe_id: Some(SpiffeId::parse("spiffe://sample.invalid/service").ok()?),
        service: Arc::from("sample"),
        address: address(2),
    };
    let tls = TlsFacts {
        version: Arc::from("TLSv1.3"),
        cipher_suite: Arc::from("TLS13_AES_256_GCM_SHA384"),
        alpn: Some(Arc::from("http/1.1")),
        sni: None,
    };
    Some(AccessRequest {
        time,
        direction: Direction::Inbound,
        enforcement: Enforcement::Enforce,
        connection: Arc::new(ConnectionFacts::new(source, destination, Some(tls))),
        head: Head::canonical(parts, Scheme::Https).ok()?,
        route: Arc::from("default"),
        body: Body::NotRead,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_sample_is_a_valid_request() {
        assert_eq!(super::request().unwrap().head.path(), "/sample");
    }
}
