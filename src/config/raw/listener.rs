//! Listeners, their routes, and where they lead.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::scalars::{AddressText, DurationText, Name, SizeText};
use super::MAX_ROUTES;
use crate::http::CallerSettings;
use crate::listen;

/// One inbound listener.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Listener {
    /// Unique; records and metrics name it.
    pub name: Name,
    /// An IP address with a port; port 0 asks the system for one.
    pub address: AddressText,
    #[serde(default)]
    pub protocol: Protocol,
    #[serde(default)]
    pub mode: Mode,
    /// Tried in order. After them comes the route `default`, which matches all.
    #[serde(default)]
    #[schemars(length(max = MAX_ROUTES))]
    pub routes: Vec<Route>,
    /// The upstream of the route `default`; it may be left out where there is only one upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Name")]
    pub upstream: Option<Name>,
    #[serde(default)]
    pub callers: Callers,
    /// The audiences of JWT-SVIDs that are ours, such as our SPIFFE ID: a token must name one of them.
    /// Required unless `callers` is `x509`.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(min = 1, max = 2048)))]
    pub audience: Vec<String>,
    /// How far the clocks of callers and ours may be apart when a JWT-SVID's times are checked; 0s to
    /// 1m.
    #[serde(default = "default_jwt_leeway")]
    pub jwt_leeway: DurationText,
    #[serde(default)]
    pub tls: ListenerTls,
    #[serde(default)]
    pub limits: ListenerLimits,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "How callers prove who they are: `x509` by their certificate; `jwt` by a JWT-SVID in \
                   `Authorization: Bearer`; `both` by both, of one SPIFFE ID; `either` by their \
                   certificate where they present one, else by a JWT-SVID. The JWT-SVID that proves \
                   the caller is removed before policy and upstream see the request; where a \
                   certificate alone does, with `x509` and with `either`, `Authorization` is the \
                   application's own and stays."
)]
pub(in super::super) enum Callers {
    #[default]
    X509,
    Jwt,
    Both,
    Either,
}

/// How a listener shakes hands.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct ListenerTls {
    pub min_version: TlsVersion,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(
    description = "The oldest version of TLS that is spoken, in quotes; with `1.2` only AEAD suites \
                   with forward secrecy."
)]
pub(in super::super) enum TlsVersion {
    #[default]
    #[serde(rename = "1.3")]
    V13,
    #[serde(rename = "1.2")]
    V12,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(description = "HTTP/1.1 and HTTP/2 inside mTLS.")]
pub(in super::super) enum Protocol {
    #[default]
    Http,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "`enforce` refuses what policy does not allow; `shadow` records that and forwards it."
)]
pub(in super::super) enum Mode {
    #[default]
    Enforce,
    Shadow,
}

/// A route as policy and records name it. What is left out matches all.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Route {
    /// Unique within its listener; `default` is taken.
    pub name: Name,
    /// Canonical hosts: lower case, without the port 443. `*.example.org` matches one or more labels.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub hosts: Vec<String>,
    /// A template: `/orders/{id}` matches one segment, `/files/{rest...}` any number at the end, also none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 1024))]
    pub path: Option<String>,
    /// HTTP methods, in upper case.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub methods: Vec<String>,
    /// The name of an upstream; without it, that of the listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Name")]
    pub upstream: Option<Name>,
    /// What its requests may have that is refused or removed otherwise. Policy and upstream get the
    /// same bytes; the risk is what the upstream makes of them.
    #[serde(default)]
    pub relax: Relax,
}

/// What a route keeps of a request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Relax {
    /// `%2F` within a segment. An upstream that decodes it before it splits the path serves another
    /// resource than policy was asked about; `%5C` and dot segments behind a `%2F` stay refused.
    pub encoded_slashes: Refused,
    /// `//` within the path. An upstream that merges slashes serves the resource of the shorter path,
    /// so policy must treat both alike; at the beginning of a path it stays refused.
    pub empty_segments: Refused,
    /// Header names with `_`. CGI-like upstreams read `x_user` as `x-user`; refused all the same where
    /// that name is there too, or is one that is removed or may stand once.
    pub underscore_headers: Refused,
    /// `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `X-Remote-*` and other claims of proxies before the
    /// caller, for routes whose callers are trusted gateways: any caller that policy allows can write
    /// what it likes there. `X-Forwarded-Client-Cert` is removed all the same.
    pub forwarded_headers: Removed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Refused {
    #[default]
    Refuse,
    Keep,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Removed {
    #[default]
    Remove,
    Keep,
}

/// What one listener allows at once.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct ListenerLimits {
    /// Open connections; further ones wait in the backlog.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// TLS handshakes under way: each costs processor time before there is an identity.
    #[schemars(range(min = 1, max = 100_000))]
    pub handshakes: u32,
    /// From accepting a connection to the end of its handshake; 100ms to 5m.
    pub handshake_timeout: DurationText,
    /// From the first byte of a head to its end; 100ms to 5m.
    pub header_timeout: DurationText,
    /// Between two requests of one connection; 1s to 24h.
    pub idle_timeout: DurationText,
    /// After which a connection's peer is asked to take another one, less up to a tenth; 1s to 24h.
    /// Without it a connection may grow as old as its peer's SVID.
    pub max_connection_age: Option<DurationText>,
    /// One request head; 1KiB to 1MiB.
    pub header_bytes: SizeText,
    /// HTTP/2 streams of one connection.
    #[schemars(range(min = 1, max = 10_000))]
    pub streams: u32,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        let limits = listen::Limits::default();
        let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            connections: clip(limits.connections),
            handshakes: clip(limits.handshakes),
            handshake_timeout: limits.handshake_timeout.into(),
            header_timeout: limits.header_timeout.into(),
            idle_timeout: limits.idle_timeout.into(),
            max_connection_age: limits.max_connection_age.map(Into::into),
            header_bytes: u64::from(limits.header_bytes).into(),
            streams: limits.streams,
        }
    }
}

/// One place to forward to.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Upstream {
    /// Unique; routes refer to it.
    pub name: Name,
    /// `unix:/run/app.sock` (recommended: nobody reaches it round the sidecar) or a loopback address
    /// such as `127.0.0.1:8080`; with `tls`, any address.
    pub address: AddressText,
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// Connect with mTLS: our SVID is presented, and the upstream must prove the identity named here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UpstreamTls")]
    pub tls: Option<UpstreamTls>,
    /// How long connecting may take; 10ms to 1m.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: DurationText,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "HTTP/1.1, HTTP/2 without TLS by prior knowledge (`h2c`), or HTTP/2 with `tls` (`h2`)."
)]
pub(in super::super) enum UpstreamProtocol {
    #[default]
    H1,
    H2c,
    H2,
}

/// One of `spiffe_id` and `trust_domain`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct UpstreamTls {
    /// The upstream's own SPIFFE ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 2048))]
    pub spiffe_id: Option<String>,
    /// Any workload of this trust domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255))]
    pub trust_domain: Option<String>,
}

fn default_jwt_leeway() -> DurationText {
    CallerSettings::default().leeway.into()
}

fn default_connect_timeout() -> DurationText {
    DurationText("1s".to_owned())
}
