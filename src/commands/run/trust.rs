//! What ends open connections and exchanges in flight: a change of trust or of the deny-list, and the
//! end of an SVID.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use portreeve_core::Timestamp;
use portreeve_core::spiffe::TrustDomain;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use tokio::sync::watch;

use super::report::Live;
use crate::audit::Event;
use crate::connections::{Cuts, Pass, Subject, TICK};
use crate::http::{self, Lapse};
use crate::identity::Snapshot;
use crate::tls::{Credentials, PeerError};

/// Records of one pass, and lines in the process's log: peers beyond them are counted in one more.
/// Ten thousand peers cut at once would otherwise fill the log with one event.
const MAX_CUT_RECORDS: usize = 256;
const MAX_CUT_LINES: usize = 16;

#[derive(Debug, PartialEq, Eq)]
struct Roots {
    bundles: BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
}

/// Counts the snapshots that trust something other than the one before: a new SVID of our own with
/// the same roots is no reason to verify anybody again.
#[derive(Debug)]
pub(super) struct TrustChanges {
    /// What the open connections were verified under; `None` where nothing is known of it.
    last: Option<Roots>,
    changes: watch::Sender<u64>,
}

impl TrustChanges {
    pub(super) fn new(changes: watch::Sender<u64>) -> Self {
        Self { last: None, changes }
    }

    /// Called after the credentials made of a snapshot are published.
    pub(super) fn published(&mut self, snapshot: &Snapshot) {
        let Snapshot { bundles, crls, .. } = snapshot;
        if self.last.as_ref().is_some_and(|last| last.bundles == *bundles && last.crls == *crls) {
            return;
        }
        self.last = Some(Roots { bundles: bundles.clone(), crls: crls.clone() });
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Called where no credentials are left: a change just before may have found none to verify with,
    /// so whatever comes next is a change.
    pub(super) fn withdrawn(&mut self) {
        self.last = None;
    }
}

/// Verifies the peers of all open connections again, on a thread of its own, after each change of
/// trust or of the deny-list. Changes that come during a pass are one pass more.
pub(super) async fn verify_again(
    live: Arc<Live>,
    credentials: Arc<ArcSwapOption<Credentials>>,
    mut trust: watch::Receiver<u64>,
) {
    let mut denied = live.denied.changes();
    // A change of trust that no pass has dealt with yet.
    let mut owed = false;
    loop {
        let trust_changed = tokio::select! {
            Ok(()) = trust.changed() => true,
            Ok(()) = denied.changed() => false,
            else => return,
        };
        // What else has changed by now is part of this pass.
        let trust_changed = owed || trust_changed || trust.has_changed().unwrap_or(false);
        trust.mark_unchanged();
        denied.mark_unchanged();
        let (current, of_live) = (credentials.load_full(), Arc::clone(&live));
        let current = current.filter(|_| trust_changed);
        owed = trust_changed;
        let has_verified = current.is_some();
        let what = if trust_changed { "trust" } else { "the deny-list" };
        let passing = tokio::task::spawn_blocking(move || pass(&of_live, current.as_deref()));
        // A panic in it has been told by the panic hook; the next change tries again.
        let Ok(pass) = passing.await else { continue };
        owed &= !has_verified;
        live.metrics.blocked(live.denied.current().len());
        told(&live, &pass.cuts);
        let Pass { connections, chains, took, largest_slice, .. } = pass;
        let cut = pass.cuts.total();
        if connections == 0 {
            tracing::debug!("{what} changed: no connection was open");
            continue;
        }
        tracing::info!(
            connections,
            chains,
            cut,
            ?took,
            ?largest_slice,
            "{what} changed: the open connections were verified again"
        );
    }
}

fn pass(live: &Live, trust: Option<&Credentials>) -> Pass {
    let now = live.clock.now();
    live.registry.verify_again(|subject| holds(live, trust, subject, now))
}

/// Until when a peer holds under what is in force; `None` where that is as before.
fn holds(
    live: &Live,
    trust: Option<&Credentials>,
    subject: &Subject,
    now: Timestamp,
) -> Result<Option<Timestamp>, &'static str> {
    let until = trust.map(|trust| trust.verify_again(&subject.chain, now)).transpose();
    let until = until.map_err(|error| error.reason())?;
    PeerError::of_denied(&live.denied, &subject.id, now).map_err(|error| error.reason())?;
    Ok(until)
}

/// Ends what is in flight by JWT-SVIDs that hold no more, after each change of JWT bundles or of the
/// deny-list and when their time is over.
pub(super) async fn end_lapsed(live: Arc<Live>) {
    let Some(bundles) = &live.jwt_bundles else { return };
    let (mut keys, mut denied) = (bundles.updates(), live.denied.changes());
    let mut ticks = tokio::time::interval(TICK);
    loop {
        let lapse = tokio::select! {
            Ok(()) = keys.changed() => Lapse::Trust,
            Ok(()) = denied.changed() => Lapse::Trust,
            _ = ticks.tick() => Lapse::Time,
        };
        let ended = http::end_lapsed(&live.gates, lapse).await;
        if ended > 0 {
            tracing::warn!(ended, "ended exchanges whose callers' JWT-SVIDs hold no more");
        }
    }
}

/// Records, counts and says whose connections were cut.
pub(super) fn told(live: &Live, cuts: &Cuts) {
    let mut others = BTreeMap::<&'static str, u64>::new();
    for (at, (id, reason, connections)) in cuts.sorted().into_iter().enumerate() {
        live.metrics.cut(reason, connections);
        if at < MAX_CUT_LINES {
            tracing::warn!(spiffe_id = %id, reason, connections, "a peer's connections were cut");
        }
        if at < MAX_CUT_RECORDS {
            let spiffe_id = Some(id);
            live.log.event(&Event::ConnectionCut { spiffe_id, reason, connections });
        } else {
            *others.entry(reason).or_default() += connections;
        }
    }
    for (reason, connections) in others {
        live.log.event(&Event::ConnectionCut { spiffe_id: None, reason, connections });
    }
}
