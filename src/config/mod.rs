//! The configuration file: YAML in, a checked [`Config`] made of each stage's `Settings` out.
//!
//! Every error is found at once and names line, column and field.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{admin, audit, forward, identity, listen, store, telemetry};

/// A whole, checked configuration. No stage sees it: each gets its own `Settings`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the service that the sidecar stands beside; `destination.service` to policy.
    pub service: Arc<str>,
    /// Store, log and admin socket live under it by default.
    pub state_dir: PathBuf,
    pub identity: identity::Settings,
    pub listeners: Vec<listen::Settings>,
    pub upstreams: Vec<forward::UpstreamSettings>,
    pub policy: store::Settings,
    pub log: audit::Settings,
    pub health: admin::HealthSettings,
    pub admin: admin::Settings,
    pub telemetry: telemetry::Settings,
    /// How long a drain waits for what is in flight.
    pub drain_timeout: Duration,
}
