//! What ends open connections: a change of trust or of the deny-list, and the end of a peer's SVID.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use portreeve_core::Timestamp;
use portreeve_core::spiffe::TrustDomain;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use tokio::sync::watch;

use super::report::Live;
use crate::audit::Event;
use crate::connections::{Cuts, Pass, Subject};
use crate::identity::Snapshot;
use crate::tls::{Credentials, PeerError};

/// Records of one pass, and lines in the process's log: peers beyond them are counted in one more.
/// Ten thousand peers cut at once would otherwise fill the log with one event.
const MAX_CUT_RECORDS: usize = 256;
const MAX_CUT_LINES: usize = 16;

/// Counts the snapshots that trust something other than the one before: a new SVID of our own with
/// the same roots is no reason to verify anybody again.
#[derive(Debug)]
pub(super) struct TrustChanges {
    roots: BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
    changes: watch::Sender<u64>,
}

impl TrustChanges {
    pub(super) fn new(changes: watch::Sender<u64>) -> Self {
        Self { roots: BTreeMap::new(), crls: Vec::new(), changes }
    }

    /// Called after the credentials made of a snapshot are published.
    pub(super) fn published(&mut self, snapshot: &Snapshot) {
        if self.roots == snapshot.bundles && self.crls == snapshot.crls {
            return;
        }
        self.roots.clone_from(&snapshot.bundles);
        self.crls.clone_from(&snapshot.crls);
        self.changes.send_modify(|changes| *changes += 1);
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
    loop {
        let trust_changed = tokio::select! {
            Ok(()) = trust.changed() => true,
            Ok(()) = denied.changed() => false,
            else => return,
        };
        // What else has changed by now is part of this pass.
        let trust_changed = trust_changed || trust.has_changed().unwrap_or(false);
        trust.mark_unchanged();
        denied.mark_unchanged();
        let (current, of_live) = (credentials.load_full(), Arc::clone(&live));
        let current = current.filter(|_| trust_changed);
        let what = if trust_changed { "trust" } else { "the deny-list" };
        let passing = tokio::task::spawn_blocking(move || pass(&of_live, current.as_deref()));
        // A panic in it has been told by the panic hook; the next change tries again.
        let Ok(pass) = passing.await else { continue };
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
