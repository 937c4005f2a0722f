//! Two small HTTP servers: `health` for probes and metrics, `admin` for people on a Unix socket.
//!
//! What they tell comes from a [`Report`]; what may be changed goes through a [`Control`], over the
//! socket only. Each has a thread of its own, so that it answers while all serving threads are busy.
//! The health server names no identity and no path.

mod serve;
mod health;
mod socket;
mod people;
mod status;
mod control;
pub mod client;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use control::{Block, Control, Refused, Unblock};
pub use health::BoundHealth;
pub use people::BoundAdmin;
pub use serve::{ServeError, Server};
pub use status::{
    IdentitySourceStatus, IdentityStatus, JwtStatus, ListenerStatus, LogStatus, Part, PartState,
    PolicyStatus, Readiness, SourceTrouble, Status,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// Any address: the answers carry no identity and no path.
    pub address: Option<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Created with mode 0600.
    pub socket: PathBuf,
}

/// Where the admin socket is if nothing else is said.
#[must_use]
pub fn default_socket(state_dir: &Path) -> PathBuf {
    state_dir.join("admin.sock")
}

/// What the servers tell. Each method is called per request: it must be cheap and wait for nothing.
pub trait Report: Send + Sync {
    fn readiness(&self) -> Readiness;
    /// Its `readiness` is that of [`Self::readiness`].
    fn status(&self) -> Status;
    /// Content type and body of a scrape for an `Accept` header.
    fn metrics(&self, accept: Option<&str>) -> (&'static str, String);
}
