//! The file, field for field. Its doc comments are the texts of the schema and of the reference.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalars::{AddressText, DurationText, Name, PathText, SizeText};
use crate::listen;

/// Metric series grow with routes; these keep a scrape small.
pub(super) const MAX_LISTENERS: usize = 16;
pub(super) const MAX_ROUTES: usize = 200;

/// The configuration of one sidecar.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "portreeve.yaml")]
pub(super) struct File {
    /// The version of this format.
    #[schemars(extend("const" = super::VERSION))]
    pub version: u32,
    /// The name of the service beside the sidecar; policy reads it as `destination.service`.
    pub service: Name,
    /// Holds the policy store and, unless they are placed elsewhere, the log and the admin socket.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathText,
    #[serde(default)]
    pub identity: Identity,
    /// Where callers connect with mTLS.
    #[schemars(length(min = 1, max = MAX_LISTENERS))]
    pub listeners: Vec<Listener>,
    /// Where permitted requests are forwarded to.
    #[schemars(length(min = 1, max = MAX_ROUTES))]
    pub upstreams: Vec<Upstream>,
    pub policy: Policy,
    #[serde(default)]
    pub log: Log,
    #[serde(default)]
    pub health: Health,
    #[serde(default)]
    pub admin: Admin,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub telemetry: Telemetry,
}

/// Where our own SVID and the trust bundles come from.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    #[serde(default)]
    pub source: IdentitySource,
    /// The Workload API's Unix socket, as `unix:///run/spire/agent.sock` or as a path. Without it,
    /// the variable `SPIFFE_ENDPOINT_SOCKET` says where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub socket: Option<PathText>,
    /// Which SVID to serve with when the source issues several, by one of the two; without it, the
    /// first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Pick")]
    pub pick: Option<Pick>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(description = "The SPIFFE Workload API, which a SPIRE agent serves.")]
pub(super) enum IdentitySource {
    #[default]
    WorkloadApi,
}

/// One of `hint` and `spiffe_id`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pick {
    /// The hint that the registration entry carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 256))]
    pub hint: Option<String>,
    /// A canonical SPIFFE ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 2048))]
    pub spiffe_id: Option<String>,
}

/// One inbound listener.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listener {
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
    pub limits: ListenerLimits,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(description = "HTTP/1.1 and HTTP/2 inside mTLS.")]
pub(super) enum Protocol {
    #[default]
    Http,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "`enforce` refuses what policy does not allow; `shadow` records that and forwards it."
)]
pub(super) enum Mode {
    #[default]
    Enforce,
    Shadow,
}

/// A route as policy and records name it. What is left out matches all.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
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
pub(super) struct Relax {
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
pub(super) enum Refused {
    #[default]
    Refuse,
    Keep,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Removed {
    #[default]
    Remove,
    Keep,
}

/// What one listener allows at once.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenerLimits {
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
            header_bytes: u64::from(limits.header_bytes).into(),
            streams: limits.streams,
        }
    }
}

/// One place to forward to.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    /// Unique; routes refer to it.
    pub name: Name,
    /// `unix:/run/app.sock` (recommended: nobody reaches it round the sidecar) or a loopback address
    /// such as `127.0.0.1:8080`.
    pub address: AddressText,
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// How long connecting may take; 10ms to 1m.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: DurationText,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(description = "HTTP/1.1, or HTTP/2 without TLS by prior knowledge.")]
pub(super) enum UpstreamProtocol {
    #[default]
    H1,
    H2c,
}

/// Where policy comes from and how often it is looked for.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub source: PolicySource,
    /// A branch, a tag or a full commit id. Only with `git`.
    #[serde(default = "default_ref", rename = "ref")]
    #[schemars(length(min = 1, max = 255))]
    pub reference: String,
    /// The bundle's root inside the repository; empty is the whole. Only with `git`.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub subdir: String,
    /// How often the source is looked at; 1s to 24h.
    #[serde(default = "default_interval")]
    pub interval: DurationText,
    /// How a commit's signer is verified. It has no default for `https` and `ssh` repositories: that
    /// nobody verifies must be written out. `file` repositories and directories default to `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Verify")]
    pub verify: Option<Verify>,
    /// The file of known host keys; required for `ssh`, which refuses a host that is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub known_hosts: Option<PathText>,
    /// The private key for `ssh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub ssh_key: Option<PathText>,
    /// A file with the token for `https`, read at every fetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub token_file: Option<PathText>,
}

/// One of `git` and `dir`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySource {
    /// A git repository: `https://`, `ssh://`, `file://` or an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 2048))]
    pub git: Option<String>,
    /// A directory, read whole at every interval: for development.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub dir: Option<PathText>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verify {
    None,
}

/// The decision log.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    /// The folder of the log's files; `log` under `state_dir` unless `stdout` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub dir: Option<PathText>,
    /// Writes records to standard output instead.
    #[serde(default)]
    pub stdout: bool,
    #[serde(default)]
    pub durability: Durability,
    #[serde(default)]
    pub on_failure: OnFailure,
    /// An `end` record for every request, not only for those that need one.
    #[serde(default)]
    pub end_records: bool,
    /// A file is closed and the next begun at this size; 64KiB to 64GiB, and 64MiB by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SizeText")]
    pub rotate_bytes: Option<SizeText>,
    /// Closed files that are kept; older ones are deleted. Without it, all are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 1_000_000))]
    pub keep_files: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "What has happened to a record before its request is forwarded: `queued` in this process, `written` to the system, `synced` to the disk."
)]
pub(super) enum Durability {
    Queued,
    #[default]
    Written,
    Synced,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "What becomes of a request whose record is not accepted: `deny` answers 503, `drop` counts the loss and goes on."
)]
pub(super) enum OnFailure {
    #[default]
    Deny,
    Drop,
}

/// Probes and metrics.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    /// Serves `/livez`, `/readyz`, `/startupz` and `/metrics` over plain HTTP; without it, nothing
    /// does. The answers name no identity and no path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AddressText")]
    pub address: Option<AddressText>,
}

/// The admin interface.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    /// A Unix socket for our own user and root alone; `admin.sock` under `state_dir` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub socket: Option<PathText>,
}

/// Limits of the whole process.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    /// How long a drain waits for requests in flight; 0s to 1h.
    pub drain_timeout: DurationText,
}

impl Default for Limits {
    fn default() -> Self {
        Self { drain_timeout: DurationText("30s".to_owned()) }
    }
}

/// What the sidecar says about itself on standard error.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Telemetry {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a list by module: `info,portreeve::store=debug`.
    #[schemars(length(min = 1, max = 1024))]
    pub level: String,
    pub format: TelemetryFormat,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: TelemetryFormat::Text }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(description = "Lines for people or objects for machines.")]
pub(super) enum TelemetryFormat {
    Text,
    Json,
}

fn default_state_dir() -> PathText {
    super::DEFAULT_STATE_DIR.into()
}

fn default_connect_timeout() -> DurationText {
    DurationText("1s".to_owned())
}

fn default_ref() -> String {
    "main".to_owned()
}

fn default_interval() -> DurationText {
    DurationText("30s".to_owned())
}
