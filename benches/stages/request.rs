//! The request that every stage is shown, and the connection that it came on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use http::request::Parts;
use portreeve::clock::Clock;
use portreeve::forward::{
    OwnIdentity, RouteSettings, Routes, UpstreamAddress, UpstreamProtocol, UpstreamSettings,
    Upstreams, upstreams,
};
use portreeve_core::Timestamp;
use portreeve_core::request::{
    AccessRequest, Body, ConnectionFacts, Destination, Direction, Enforcement, Head, Scheme,
    Source, TlsFacts,
};
use portreeve_core::spiffe::{CertificateFacts, SpiffeId};

/// What a browser sends; the first [`FEW`] are what the load sends otherwise.
const HEADERS: [(&str, &str); 12] = [
    ("host", "orders.bench.test"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "*/*"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("cache-control", "no-cache"),
    ("cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"),
    ("referer", "https://shop.bench.test/account/orders"),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "same-origin"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
];
const FEW: usize = 3;

/// What a browser sends for a page, on HTTP/1.1.
const PAGE: [(&str, &str); 20] = [
    ("host", "shop.bench.test"),
    ("connection", "keep-alive"),
    ("cache-control", "max-age=0"),
    ("sec-ch-ua", "\"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\""),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", "\"Linux\""),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-user", "?1"),
    ("sec-fetch-dest", "document"),
    ("referer", "https://shop.bench.test/account/orders"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("cookie", "session=0123456789abcdef0123456789abcdef; theme=dark; consent=1790000000"),
    ("if-none-match", "\"5f3a9c0012de77b1\""),
    ("priority", "u=0, i"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
];
const NOW: i64 = 1_790_000_000;

pub(crate) fn page() -> anyhow::Result<Parts> {
    let mut request =
        http::Request::builder().method("GET").uri("/api/v40/orders?page=2&sort=created");
    for (name, value) in PAGE {
        request = request.header(name, value);
    }
    Ok(request.body(())?.into_parts().0)
}

/// The request of an input document, or that of the scene.
pub(crate) fn read(document: Option<&Path>) -> anyhow::Result<AccessRequest> {
    let Some(path) = document else { return Scene::new(false)?.access() };
    let document = serde_json::from_slice(&std::fs::read(path)?)?;
    Ok(AccessRequest::from_document(&document)?)
}

pub(crate) struct Scene {
    parts: Parts,
    connection: Arc<ConnectionFacts>,
    routes: Routes,
}

impl Scene {
    pub(crate) fn new(is_browser: bool) -> anyhow::Result<Self> {
        let mut request = http::Request::builder().method("GET").uri("/api/v40/orders");
        let count = if is_browser { HEADERS.len() } else { FEW };
        for (name, value) in HEADERS.into_iter().take(count) {
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(())?.into_parts();
        let upstream = UpstreamSettings {
            name: "app".into(),
            address: UpstreamAddress::Unix("/run/app.sock".into()),
            protocol: UpstreamProtocol::H1,
            mtls: None,
            connect_timeout: Duration::from_secs(1),
        };
        let route = RouteSettings::default_route("app".into());
        let own = OwnIdentity { clock: Clock::system(), credentials: Arc::default() };
        let routes = Routes::new(&[route], &upstreams(&[upstream], &Upstreams::new(), &own)?)?;
        Ok(Self { parts, connection: Arc::new(connection()?), routes })
    }

    pub(crate) fn parts(&self) -> Parts {
        self.parts.clone()
    }

    /// What `http::handle` does between hyper and the decision.
    pub(crate) fn access(&self) -> anyhow::Result<AccessRequest> {
        let head = Head::canonical(self.parts(), Scheme::Https)?;
        let route = self.routes.find(&head).ok_or_else(|| anyhow!("no route"))?;
        Ok(AccessRequest {
            time: Timestamp::from_unix_seconds(NOW),
            direction: Direction::Inbound,
            enforcement: Enforcement::Enforce,
            connection: Arc::clone(&self.connection),
            route: Arc::clone(&route.name),
            head,
            body: Body::NotRead,
        })
    }
}

fn connection() -> anyhow::Result<ConnectionFacts> {
    let certificate = CertificateFacts {
        serial: "5f3a9c0012de77b1".to_owned(),
        sha256: "0123456789abcdef".repeat(4),
        issuer: "O=portreeve development, CN=portreeve development CA".to_owned(),
        not_before: Timestamp::from_unix_seconds(NOW - 600),
        not_after: Timestamp::from_unix_seconds(NOW + 3_000),
    };
    let source = Source {
        spiffe_id: Some(SpiffeId::parse("spiffe://bench.test/ns/ns6/sa/svc40")?),
        address: "10.1.2.3:45678".parse()?,
        certificate: Some(certificate),
        jwt: None,
    };
    let destination = Destination {
        spiffe_id: Some(SpiffeId::parse("spiffe://bench.test/ns/shop/sa/orders")?),
        service: "orders".into(),
        address: "10.1.2.4:8443".parse()?,
    };
    let tls = TlsFacts {
        version: "TLSv1.3".into(),
        cipher_suite: "TLS13_AES_256_GCM_SHA384".into(),
        alpn: Some("http/1.1".into()),
        sni: None,
    };
    Ok(ConnectionFacts::new(source, destination, Some(tls)))
}
