//! Two small HTTP servers: `health` for probes and metrics, `admin` for people on a Unix socket.

use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct HealthSettings {
    /// Any address: the answers carry no identity and no path.
    pub address: Option<SocketAddr>,
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// Created with mode 0600.
    pub socket: PathBuf,
}
