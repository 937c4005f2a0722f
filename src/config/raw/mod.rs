//! The file, field for field. Its doc comments are the texts of the schema and of the reference.

mod listener;
mod policy;
mod log;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use listener::{
    Callers, Listener, ListenerLimits, Mode, Protocol, Refused, Relax, Removed, TlsVersion,
    Upstream, UpstreamProtocol, UpstreamTls,
};
pub(super) use log::{Durability, Log, OnFailure};
pub(super) use policy::{Policy, UnboundedBuiltins};

use super::scalars::{AddressText, DurationText, Name, PathText};
use crate::identity;

/// Metric series grow with routes; these keep a scrape small.
pub(super) const MAX_LISTENERS: usize = 16;
pub(super) const MAX_ROUTES: usize = 200;
/// Each is looked at on every interval.
const MAX_BUNDLES: usize = 1000;

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
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
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
    /// The files of the source `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "IdentityFiles")]
    pub files: Option<IdentityFiles>,
    /// How long an SVID that the source took back is still served with; 0s to 60s.
    #[serde(default = "no_grace")]
    pub withdrawal_grace: DurationText,
    /// Ends the sidecar if it has no identity so long after its start; 1s to 24h. Without it, it
    /// waits for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "DurationText")]
    pub timeout: Option<DurationText>,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            source: IdentitySource::default(),
            socket: None,
            pick: None,
            files: None,
            withdrawal_grace: no_grace(),
            timeout: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "`workload_api`: the SPIFFE Workload API, which a SPIRE agent serves; `files`: PEM files that somebody else keeps fresh."
)]
pub(super) enum IdentitySource {
    #[default]
    WorkloadApi,
    Files,
}

/// Files, looked at on an interval; links are followed anew at each look.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityFiles {
    /// Our SVID and what signed it, leaf first.
    pub certificate: PathText,
    /// Its private key, not encrypted: PKCS#8, SEC 1 or PKCS#1. Only our user, or its group, may
    /// reach it.
    pub key: PathText,
    /// The file of root certificates of each trust domain; our own must be among them. A domain whose
    /// file is empty or cannot be read is not trusted.
    #[schemars(length(min = 1, max = MAX_BUNDLES))]
    pub bundles: BTreeMap<String, PathText>,
    /// The file of each trust domain's JWT bundle, a JSON Web Key Set: for listeners that take
    /// JWT-SVIDs. A domain whose file is empty or cannot be read is not trusted.
    #[serde(default)]
    #[schemars(length(max = MAX_BUNDLES))]
    pub jwt_bundles: BTreeMap<String, PathText>,
    /// Certificate revocation lists, PEM or DER.
    #[serde(default)]
    #[schemars(length(max = MAX_BUNDLES))]
    pub crls: Vec<PathText>,
    /// How often the files are looked at; 100ms to 1h. A change is taken over when it has stood still
    /// for as long.
    #[serde(default = "default_file_interval")]
    pub interval: DurationText,
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

fn no_grace() -> DurationText {
    DurationText("0s".to_owned())
}

fn default_file_interval() -> DurationText {
    identity::files::DEFAULT_INTERVAL.into()
}
