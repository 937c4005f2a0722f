//! The section `identity`: which source, which SVID of it, and how long without one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use portreeve_core::spiffe::{SpiffeId, TrustDomain};

use super::check::Check;
use super::place::At;
use super::quote::quoted;
use super::raw;
use super::scalars::PathText;
use crate::identity::{FileSettings, MAX_WITHDRAWAL_GRACE, Pick, Settings, Source, endpoint_path};

/// Where SPIFFE says that a workload finds its socket (Workload Endpoint §4).
const SPIFFE_SOCKET_VARIABLE: &str = "SPIFFE_ENDPOINT_SOCKET";

pub(super) fn identity(
    check: &mut Check<'_>,
    raw: &raw::Identity,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Settings> {
    let at = At::root().key("identity");
    let pick = raw.pick.as_ref().and_then(|pick| read_pick(check, &at.key("pick"), pick));
    let grace = Duration::ZERO..=MAX_WITHDRAWAL_GRACE;
    let withdrawal_grace =
        check.duration(&at.key("withdrawal_grace"), &raw.withdrawal_grace, grace);
    let source = match raw.source {
        raw::IdentitySource::WorkloadApi => workload_api(check, &at, raw, env)?,
        raw::IdentitySource::Files => {
            if raw.socket.is_some() {
                check.refuse(&at.key("socket"), "is only for `source: workload_api`");
            }
            if let Some(Pick::Hint(_)) = &pick {
                let hint = "write `spiffe_id`, or leave it out";
                check.refuse_with(&at.key("pick").key("hint"), "files have no hints", hint);
            }
            files(check, &at, raw.files.as_ref())?
        }
    };
    Some(Settings { source, pick, withdrawal_grace })
}

pub(super) fn timeout(check: &mut Check<'_>, raw: &raw::Identity) -> Option<Duration> {
    let at = At::root().key("identity").key("timeout");
    let range = Duration::from_secs(1)..=Duration::from_secs(86_400);
    raw.timeout.as_ref().map(|timeout| check.duration(&at, timeout, range))
}

fn workload_api(
    check: &mut Check<'_>,
    at: &At,
    raw: &raw::Identity,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Source> {
    if raw.files.is_some() {
        check.refuse(&at.key("files"), "is only for `source: files`");
    }
    let from_env = env(SPIFFE_SOCKET_VARIABLE).filter(|value| !value.is_empty());
    let socket = match (&raw.socket, from_env) {
        // A path may be relative to the file; an address may not.
        (Some(socket), _) if !socket.as_str().starts_with("unix://") => {
            check.socket(&at.key("socket"), socket.as_str())
        }
        (Some(socket), _) => address(check, &at.key("socket"), socket.as_str())?,
        (None, Some(socket)) => address(check, &at.key("socket"), &socket)?,
        (None, None) => {
            let hint = "write the Workload API's socket, or set `SPIFFE_ENDPOINT_SOCKET`";
            check.refuse_with(&at.key("socket"), "missing", hint);
            return None;
        }
    };
    Some(Source::WorkloadApi { socket })
}

fn address(check: &mut Check<'_>, at: &At, text: &str) -> Option<PathBuf> {
    match endpoint_path(text) {
        Ok(path) => Some(path),
        Err(error) => {
            check.refuse(at, error.to_string());
            None
        }
    }
}

fn files(check: &mut Check<'_>, at: &At, raw: Option<&raw::IdentityFiles>) -> Option<Source> {
    let at = at.key("files");
    let Some(raw) = raw else {
        let hint = "write `files: { certificate: …, key: …, bundles: { trust.domain: … } }`";
        check.refuse_with(&at, "missing", hint);
        return None;
    };
    let lists = raw.crls.iter().enumerate();
    let range = Duration::from_millis(100)..=Duration::from_secs(3_600);
    Some(Source::Files(FileSettings {
        certificate: check.path(&at.key("certificate"), &raw.certificate),
        key: check.path(&at.key("key"), &raw.key),
        bundles: by_trust_domain(check, &at.key("bundles"), &raw.bundles),
        jwt_bundles: by_trust_domain(check, &at.key("jwt_bundles"), &raw.jwt_bundles),
        crls: lists.map(|(i, path)| check.path(&at.key("crls").index(i), path)).collect(),
        interval: check.duration(&at.key("interval"), &raw.interval, range),
    }))
}

fn by_trust_domain(
    check: &mut Check<'_>,
    at: &At,
    raw: &BTreeMap<String, PathText>,
) -> BTreeMap<TrustDomain, PathBuf> {
    let mut paths = BTreeMap::new();
    for (name, path) in raw {
        let at = at.key(name);
        let path = check.path(&at, path);
        match TrustDomain::parse(name) {
            Ok(trust_domain) => {
                paths.insert(trust_domain, path);
            }
            Err(error) => {
                check.refuse(&at, format!("{} is not a trust domain: {error}", quoted(name)));
            }
        }
    }
    paths
}

/// Where a listener takes JWT-SVIDs there must be keys to verify them with.
pub(super) fn check_keys(check: &mut Check<'_>, source: &Source) {
    let Source::Files(files) = source else { return };
    if files.jwt_bundles.is_empty() {
        let at = At::root().key("identity").key("files").key("jwt_bundles");
        let hint = "write `jwt_bundles: { trust.domain: … }`, a JSON Web Key Set for each";
        check.refuse_with(&at, "missing, and a listener takes JWT-SVIDs", hint);
    }
}

fn read_pick(check: &mut Check<'_>, at: &At, pick: &raw::Pick) -> Option<Pick> {
    match (&pick.hint, &pick.spiffe_id) {
        (Some(hint), None) => Some(Pick::Hint(hint.clone())),
        (None, Some(id)) => match SpiffeId::parse(id) {
            Ok(id) => Some(Pick::SpiffeId(id)),
            Err(error) => {
                let message = format!("{} is not a SPIFFE ID: {error}", quoted(id));
                check.refuse(&at.key("spiffe_id"), message);
                None
            }
        },
        (Some(_), Some(_)) => {
            check.refuse(at, "`hint` and `spiffe_id` exclude each other");
            None
        }
        (None, None) => {
            check.refuse(at, "either `hint` or `spiffe_id` must be given");
            None
        }
    }
}
