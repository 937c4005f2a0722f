//! The identity: does the source answer, is the SVID one to serve with, whom do its bundles trust, and
//! can the clock be right.

use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{Issuer, SpiffeId, TrustDomain};
use rustls::pki_types::CertificateDer;

use super::super::policy::report::counted;
use super::super::run::faults;
use super::Check;
use crate::audit::{self, Target};
use crate::clock::Clock;
use crate::identity::{self, Health, Identity, Settings, Snapshot, Source, State};
use crate::tls::{Role, Trust};

/// A person waits; an agent that needs longer than this for a first answer is worth a line.
const PATIENCE: Duration = Duration::from_secs(5);
/// A root is replaced long before its end; with less than this left, its rotation has failed.
const ROOT_SOON_SECONDS: i64 = 3_600;
const JWT_BUNDLES: &str = "jwt bundles";
const SKIPPED: &str = "not checked: see `identity source`";

/// All checks of the identity; what needs an SVID is skipped where there is none.
pub(super) async fn checks(
    settings: &Settings,
    takes_tokens: bool,
    log: &Target,
    clock: &Clock,
) -> Vec<Check> {
    let identity = identity::spawn(settings, clock.clone());
    let mut updates = identity.updates();
    let answered = tokio::time::timeout(PATIENCE, updates.changed()).await;
    let mut checks = vec![source(settings, &identity, answered.is_ok())];
    match identity.newest() {
        Some(snapshot) => {
            let trust = Trust::new(&snapshot.bundles, &snapshot.crls);
            checks.push(svid(&identity, &snapshot, &trust, clock));
            checks.push(bundles(&identity, &snapshot, &trust, clock));
            if takes_tokens {
                checks.push(jwt_bundles(settings, &snapshot.svid.id, clock).await);
            }
        }
        None => {
            let names = ["svid", "bundles"].into_iter().chain(takes_tokens.then_some(JWT_BUNDLES));
            checks.extend(names.map(|name| Check::skip(name, SKIPPED)));
        }
    }
    checks.push(time(identity.newest().as_deref(), log, clock));
    checks
}

fn source(settings: &Settings, identity: &Identity, answered: bool) -> Check {
    let name = "identity source";
    let status = identity.source();
    let place = settings.source.to_string();
    if let Some(trouble) = &status.trouble {
        return Check::fail(name, &trouble.text, what_to_do(&settings.source));
    }
    match &*identity.updates().borrow() {
        State::Ready(_) => {
            let served_by = status.served_by.map_or_else(String::new, |by| {
                let pid = by.pid.map_or_else(String::new, |pid| format!(", process {pid}"));
                format!(", served by user {}{pid}", by.uid)
            });
            match settings.source {
                Source::WorkloadApi { .. } => {
                    Check::ok(name, format!("{place} answers{served_by}"))
                }
                Source::Files(_) => Check::ok(name, format!("{place} is read")),
            }
        }
        State::Waiting { reason } | State::Withdrawn { reason } if answered => {
            let to_do = "correct `identity.pick`, or the registration entry of this process";
            Check::fail(name, reason, to_do)
        }
        State::Waiting { .. } | State::Withdrawn { .. } => {
            let found = format!("{place} has given nothing within {} s", PATIENCE.as_secs());
            Check::fail(name, found, what_to_do(&settings.source))
        }
    }
}

fn what_to_do(source: &Source) -> &'static str {
    match source {
        Source::WorkloadApi { .. } => {
            "look at the agent and its log, and at `portreeve whoami`; in a container, mount the \
             directory of the socket and not the socket"
        }
        Source::Files(_) => "look at what writes the files, and at `identity.files`",
    }
}

/// By the verifier that peers are held against, under our own bundle, in both roles.
fn svid(identity: &Identity, snapshot: &Snapshot, trust: &Trust, clock: &Clock) -> Check {
    let name = "svid";
    let id = &snapshot.svid.id;
    if let Health::Unavailable(unavailable) = identity.health() {
        let to_do = "look at what issues it: nothing newer has come";
        return Check::fail(name, format!("`{id}`: {unavailable}"), to_do);
    }
    let chain = snapshot.svid.certified_key.cert.as_slice();
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Check::fail(name, "it has no certificate", "look at what issues it");
    };
    for role in [Role::Client, Role::Server] {
        if let Err(error) = trust.verify(leaf, intermediates, role, clock.now()) {
            let found = format!("`{id}` does not hold under our own bundle: {error}");
            let to_do = "every peer will refuse it: look at what issues it, and at the bundle";
            return Check::fail(name, found, to_do);
        }
    }
    let left = snapshot.svid.not_after.unix_seconds() - clock.now().unix_seconds();
    let found = format!("`{id}`, valid until {} ({left} s left)", snapshot.svid.not_after);
    match identity.health() {
        Health::Degraded { reason: "identity.stale", text } => Check::warn(
            name,
            format!("{found}: {text}"),
            "it should have been renewed: look at what issues it",
        ),
        Health::Good | Health::Degraded { .. } | Health::Unavailable(_) => Check::ok(name, found),
    }
}

fn bundles(identity: &Identity, snapshot: &Snapshot, trust: &Trust, clock: &Clock) -> Check {
    let mut concerns: Vec<String> = identity
        .source()
        .unusable
        .iter()
        .map(|bundle| format!("`{}` cannot be read: {}", bundle.name, bundle.text))
        .collect();
    for (trust_domain, roots) in &snapshot.bundles {
        concerns.extend(of_domain(trust_domain, roots, clock.now()));
    }
    concerns.extend(faults::in_words(trust, clock.now()));
    let counts: Vec<String> = snapshot
        .bundles
        .iter()
        .map(|(name, roots)| format!("`{name}` ({})", counted(roots.len(), "root")))
        .collect();
    let found = format!("{}: {}", counted(counts.len(), "trust domain"), counts.join(", "));
    if concerns.is_empty() {
        return Check::ok("bundles", found);
    }
    Check::warn("bundles", found, concerns.join("\n"))
}

/// The keys that JWT-SVIDs are verified with, asked for as the sidecar does.
async fn jwt_bundles(settings: &Settings, ours: &SpiffeId, clock: &Clock) -> Check {
    let bundles = identity::jwt_bundles::spawn(settings, clock.clone());
    let mut updates = bundles.updates();
    let answered = tokio::time::timeout(PATIENCE, updates.changed()).await;
    let state = bundles.state();
    if state.received.is_none() {
        let nothing = format!("nothing has come within {} s", PATIENCE.as_secs());
        let found = state.failure.filter(|_| answered.is_ok()).unwrap_or(nothing);
        return Check::fail(JWT_BUNDLES, found, what_to_do(&settings.source));
    }
    let authorities = bundles.authorities().load();
    let counts: Vec<(TrustDomain, usize)> =
        authorities.trust_domains().map(|(name, keys)| (name.clone(), keys)).collect();
    keys(&counts, ours.trust_domain())
}

/// How many usable keys each trust domain has.
pub(super) fn keys(counts: &[(TrustDomain, usize)], ours: &TrustDomain) -> Check {
    let shown: Vec<String> =
        counts.iter().map(|(name, keys)| format!("`{name}` ({})", counted(*keys, "key"))).collect();
    let found = format!("{}: {}", counted(counts.len(), "trust domain"), shown.join(", "));
    let with_keys = |(_, keys): &(TrustDomain, usize)| *keys > 0;
    if !counts.iter().any(with_keys) {
        let to_do =
            "no token holds without a key: look at the JWT keys of what issues our identity";
        let found = if counts.is_empty() { "no trust domain has keys" } else { &found };
        return Check::fail(JWT_BUNDLES, found, to_do);
    }
    let missing = (!counts.iter().any(|(name, _)| name == ours)).then_some(ours);
    let empty = counts.iter().filter(|domain| !with_keys(domain)).map(|(name, _)| name);
    let concerns: Vec<String> = missing
        .into_iter()
        .chain(empty)
        .map(|name| format!("no token of `{name}` holds: it has no key that can be used"))
        .collect();
    if concerns.is_empty() {
        return Check::ok(JWT_BUNDLES, found);
    }
    Check::warn(JWT_BUNDLES, found, concerns.join("\n"))
}

/// What is wrong with one domain's roots together.
fn of_domain(
    trust_domain: &TrustDomain,
    roots: &[CertificateDer<'_>],
    now: Timestamp,
) -> Option<String> {
    let ends = roots.iter().filter_map(|root| Some(Issuer::read(root).ok()?.not_after));
    let Some(until) = ends.max() else {
        return Some(format!(
            "nobody of `{trust_domain}` is trusted: its bundle has no root that can be used"
        ));
    };
    let left = until.unix_seconds() - now.unix_seconds();
    if left < 0 {
        Some(format!("every root of `{trust_domain}` has expired, the last at {until}"))
    } else if left < ROOT_SOON_SECONDS {
        Some(format!("the last root of `{trust_domain}` expires soon, at {until}"))
    } else {
        None
    }
}

fn time(snapshot: Option<&Snapshot>, log: &Target, clock: &Clock) -> Check {
    let name = "clock";
    let newest = match log {
        Target::Dir(dir) => audit::newest_time(dir),
        Target::Stdout => None,
    };
    if let Some(at) = newest {
        clock.has_recorded(at);
    }
    let checked = match snapshot {
        Some(snapshot) => clock.check_with(snapshot.svid.not_before),
        None => clock.check(),
    };
    match checked {
        Ok(()) => {
            let now = clock.now();
            let known = match (snapshot, newest) {
                (Some(_), Some(_)) => "our SVID and our last record agree",
                (Some(_), None) => "our SVID agrees",
                (None, Some(_)) => "our last record agrees",
                (None, None) => "nothing of ours contradicts it",
            };
            Check::ok(name, format!("{now}: {known}"))
        }
        Err(suspect) => {
            let to_do =
                "set the clock; if it was ahead when the log was written, move the log away";
            Check::fail(name, suspect.to_string(), to_do)
        }
    }
}

/// For the tests: the snapshot's parts, seen as `checks` sees them.
#[cfg(test)]
pub(super) fn of_snapshot(
    snapshot: Snapshot,
    source: identity::SourceStatus,
    clock: &Clock,
) -> [Check; 2] {
    let (_, states) = tokio::sync::watch::channel(State::Ready(std::sync::Arc::new(snapshot)));
    let (_, sources) = tokio::sync::watch::channel(source);
    let identity = Identity::new(states, sources, clock.clone());
    let newest = identity.newest().expect("it is ready");
    let trust = Trust::new(&newest.bundles, &newest.crls);
    [svid(&identity, &newest, &trust, clock), bundles(&identity, &newest, &trust, clock)]
}
