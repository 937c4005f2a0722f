//! Collects what is wrong beyond the shape, and reads the texts that several sections share.
//!
//! A reader that refuses gives a harmless value back, so that the rest of the file is checked too; a
//! configuration is made only if nothing was refused.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::errors::{ConfigError, ConfigErrors};
use super::overrides::Override;
use super::place::{At, Place};
use super::quote::quoted;
use super::scalars::{AddressText, DurationText, PathText, SizeText};
use super::shape::Finding;
use super::yaml::Places;

/// `sun_path` has 108 bytes and ends in a NUL.
const MAX_SOCKET_PATH_BYTES: usize = 107;

#[derive(Debug)]
pub(super) struct Check<'a> {
    places: &'a Places,
    overrides: &'a [Override],
    /// What relative paths start at.
    base: &'a Path,
    errors: Vec<ConfigError>,
}

impl<'a> Check<'a> {
    pub(super) fn new(places: &'a Places, overrides: &'a [Override], base: &'a Path) -> Self {
        Self { places, overrides, base, errors: Vec::new() }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        let place = self.place(&finding.at, finding.on_key);
        let overriding = self.overrides.iter().find(|o| o.pointer == finding.at.pointer());
        let variable = overriding.map(|o| o.variable);
        self.errors.push(ConfigError { variable, ..ConfigError::of(finding, place) });
    }

    pub(super) fn refuse(&mut self, at: &At, message: impl Into<String>) {
        self.add(Finding::new(at.clone(), message));
    }

    pub(super) fn refuse_with(&mut self, at: &At, message: impl Into<String>, hint: &str) {
        let finding = Finding::new(at.clone(), message);
        self.add(Finding { hint: Some(hint.to_owned()), ..finding });
    }

    /// What was made of the file, if nothing was refused.
    pub(super) fn finish<T>(mut self, made: Option<T>) -> Result<T, ConfigErrors> {
        match made {
            Some(made) if self.errors.is_empty() => Ok(made),
            None if self.errors.is_empty() => {
                self.refuse(&At::root(), "no configuration could be made of the file");
                Err(ConfigErrors::new(self.errors))
            }
            _ => Err(ConfigErrors::new(self.errors)),
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// A field that is not there stands where the nearest mapping around it does.
    fn place(&self, at: &At, on_key: bool) -> Place {
        let Places { keys, values } = self.places;
        let pointer = at.pointer();
        let exact = if on_key { keys.get(pointer) } else { values.get(pointer) };
        if let Some(place) = exact.or_else(|| keys.get(pointer)) {
            return *place;
        }
        let mut around = at.parent();
        while let Some(at) = around {
            if let Some(place) = keys.get(at.pointer()) {
                return *place;
            }
            around = at.parent();
        }
        Place { line: 1, column: 1 }
    }

    pub(super) fn duration(
        &mut self,
        at: &At,
        text: &DurationText,
        allowed: RangeInclusive<Duration>,
    ) -> Duration {
        let duration = text.duration().unwrap_or_default();
        if !allowed.contains(&duration) {
            let lowest = DurationText::from(*allowed.start());
            let highest = DurationText::from(*allowed.end());
            let (lowest, highest) = (lowest.as_str(), highest.as_str());
            let found = quoted(text.as_str());
            self.refuse(at, format!("{found} is not within {lowest} to {highest}"));
        }
        duration
    }

    pub(super) fn size(&mut self, at: &At, text: &SizeText, allowed: RangeInclusive<u64>) -> u64 {
        let bytes = text.bytes().unwrap_or_default();
        if !allowed.contains(&bytes) {
            let lowest = SizeText::from(*allowed.start());
            let highest = SizeText::from(*allowed.end());
            let (lowest, highest) = (lowest.as_str(), highest.as_str());
            let found = quoted(text.as_str());
            self.refuse(at, format!("{found} is not within {lowest} to {highest}"));
        }
        bytes
    }

    /// An address to listen on or to connect to; names are not resolved.
    pub(super) fn address(&mut self, at: &At, text: &AddressText) -> Option<SocketAddr> {
        let text = text.as_str();
        let address = text.parse().ok();
        if address.is_none() {
            let message = format!("{} is not an IP address with a port", quoted(text));
            self.refuse_with(at, message, address_hint(text));
        }
        address
    }

    pub(super) fn path(&mut self, at: &At, text: &PathText) -> PathBuf {
        if text.as_str().chars().any(char::is_control) {
            self.refuse(at, format!("{} holds a control character", quoted(text.as_str())));
        }
        self.base.join(text.as_str())
    }

    /// The path of a Unix socket, which may be written with the scheme `unix:`.
    pub(super) fn socket(&mut self, at: &At, text: &str) -> PathBuf {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            self.refuse(at, "names no socket");
        }
        if path.contains("://") {
            let message = format!("{} is not a Unix socket", quoted(text));
            self.refuse_with(at, message, "only `unix:/…` is supported");
        }
        let path = self.path(at, &path.into());
        self.socket_length(at, &path);
        path
    }

    pub(super) fn socket_length(&mut self, at: &At, path: &Path) {
        let length = path.as_os_str().len();
        if length > MAX_SOCKET_PATH_BYTES {
            let message = format!(
                "the socket's path has {length} bytes, more than the {MAX_SOCKET_PATH_BYTES} of a Unix socket"
            );
            self.refuse(at, message);
        }
    }
}

fn address_hint(text: &str) -> &'static str {
    if text.starts_with(':') {
        return "`0.0.0.0:PORT` is every IPv4 interface, `[::]:PORT` every one";
    }
    if text.starts_with("localhost") {
        return "write `127.0.0.1:PORT` or `[::1]:PORT`";
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return "add the port";
    }
    "write it like `0.0.0.0:8443` or `[::]:8443`; names are not resolved"
}
