//! The configuration file: YAML in, a checked [`Config`] made of each stage's `Settings` out.
//!
//! In four steps, each of which finds all of its errors at once, with line, column and field: `yaml`
//! reads the text, `overrides` puts the environment's values in, `shape` compares with the schema,
//! and `settings` checks what a schema cannot say. Nothing here opens a socket or looks for a file
//! but the one that it is given.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::{admin, audit, forward, identity, listen, store, telemetry};

mod yaml;
mod place;
mod overrides;
mod raw;
mod scalars;
mod schema;
mod shape;
mod planned;
mod check;
mod settings;
mod identity_source;
mod listeners;
mod upstreams;
mod policy;
mod quote;
mod errors;
mod reference;

#[cfg(test)]
mod tests;

pub use errors::{ConfigError, ConfigErrors, LoadError};
pub use overrides::{Override, unknown_variables};
pub use place::Place;
pub use reference::reference;
pub use schema::schema;

use check::Check;
use shape::Finding;

/// The version of the file's format.
pub const VERSION: u32 = 1;
/// Where systemd's `StateDirectory=portreeve` is.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/portreeve";

/// A whole, checked configuration. No stage sees it: each gets its own `Settings`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the service that the sidecar stands beside; `destination.service` to policy.
    pub service: Arc<str>,
    /// Store, log and admin socket live under it by default.
    pub state_dir: PathBuf,
    pub identity: identity::Settings,
    /// How long a start may wait for the first identity; for ever if `None`.
    pub identity_timeout: Option<Duration>,
    pub listeners: Vec<listen::Settings>,
    pub upstreams: Vec<forward::UpstreamSettings>,
    pub policy: store::Settings,
    pub log: audit::Settings,
    pub health: admin::HealthSettings,
    pub admin: admin::Settings,
    pub telemetry: telemetry::Settings,
    /// How long a drain waits for what is in flight.
    pub drain_timeout: Duration,
    /// `sha256:…` of the file's text: what the log says was in force.
    pub digest: String,
    /// The fields that the environment replaced.
    pub overrides: Vec<Override>,
    /// What is allowed and still worth saying at every start.
    pub warnings: Vec<String>,
}

/// Reads and checks a file; `env` looks an environment variable up.
///
/// # Errors
/// The file cannot be read, or anything in it is wrong.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, LoadError> {
    let unreadable = |source| LoadError::Read { path: path.to_owned(), source };
    let absolute = std::path::absolute(path).map_err(unreadable)?;
    let base = absolute.parent().unwrap_or(Path::new("/"));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // One byte more than allowed shows that the file is too long.
    file.take(yaml::MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    yaml::check_text(&bytes)
        .and_then(|text| parse(text, base, env))
        .map_err(|errors| LoadError::Invalid { path: path.to_owned(), errors })
}

/// Checks a file's text; relative paths in it start at `base`.
///
/// # Errors
/// Every error of the first step that finds any.
pub fn parse(
    text: &str,
    base: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigErrors> {
    let (mut document, places) = yaml::read(text)?;
    let overrides = overrides::apply(&mut document, env);
    let mut check = Check::new(&places, &overrides, base);
    for finding in shape::check(&document) {
        check.add(finding);
    }
    if !check.is_clean() {
        return check.finish(None);
    }
    let config = match serde_json::from_value::<raw::File>(document) {
        Ok(file) => settings::config(&mut check, &file, env),
        // The schema comes from the same types, so only the two of them disagreeing leads here.
        Err(error) => {
            check.add(Finding::new(place::At::root(), error.to_string()));
            None
        }
    };
    let config = check.finish(config)?;
    let digest = portreeve_core::policy::digest_of(text.as_bytes());
    Ok(Config { digest, overrides, ..config })
}
