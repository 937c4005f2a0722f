//! What the source has said, as the [`State`] that everybody sees.
//!
//! Only a denial, or an update without the SVID that is picked, takes a snapshot back; no other
//! failure does.

use std::sync::Arc;

use rustls::pki_types::CertificateRevocationListDer;
use tokio::sync::watch;

use super::proto::X509SvidResponse;
use super::{Failure, Pick, Snapshot, State, Svid, UpdateError, update};
use crate::clock::Clock;

/// So many SVIDs are named when the picked one is not among them.
const MAX_NAMED_SVIDS: usize = 8;

pub(super) struct Published {
    pick: Option<Pick>,
    clock: Clock,
    state: watch::Sender<State>,
    sequence: u64,
    /// The message that the present snapshot was made of: the same again is no update.
    last: Option<X509SvidResponse>,
}

impl Published {
    pub(super) fn new(pick: Option<Pick>, clock: Clock, state: watch::Sender<State>) -> Self {
        Self { pick, clock, state, sequence: 0, last: None }
    }

    /// Ends when nobody looks any more.
    pub(super) fn unwatched(&self) -> impl Future<Output = ()> + use<> {
        let state = self.state.clone();
        async move { state.closed().await }
    }

    /// Publishes what a message says.
    ///
    /// # Errors
    /// The message cannot be used; the state is as before.
    pub(super) fn accept(&mut self, message: X509SvidResponse) -> Result<(), UpdateError> {
        let ready = matches!(*self.state.borrow(), State::Ready(_));
        if ready && self.last.as_ref() == Some(&message) {
            return Ok(());
        }
        let Some(own) = update::picked(&message, self.pick.as_ref())? else {
            self.withdraw(not_offered(&message, self.pick.as_ref()));
            return Ok(());
        };
        let svid = update::read_svid(own)?;
        let bundles = update::read_bundles(&message, own, &svid.id)?;
        let crls = message.crl.iter().map(|crl| crl.to_vec().into()).collect();
        self.publish(svid, bundles, crls);
        self.last = Some(message);
        Ok(())
    }

    fn publish(
        &mut self,
        svid: Svid,
        bundles: update::Bundles,
        crls: Vec<CertificateRevocationListDer<'static>>,
    ) {
        self.sequence += 1;
        tracing::info!(
            spiffe_id = %svid.id,
            not_after = %svid.not_after,
            trust_domains = bundles.len(),
            update = self.sequence,
            "SVID received"
        );
        let received = self.clock.now();
        let snapshot = Snapshot { sequence: self.sequence, svid, bundles, crls, received };
        self.state.send_replace(State::Ready(Arc::new(snapshot)));
    }

    /// A try failed: only a denial changes more than the reason to wait.
    pub(super) fn note(&mut self, failure: &Failure, words: String) {
        if matches!(failure, Failure::Denied { .. }) {
            return self.withdraw(words);
        }
        self.state.send_if_modified(|state| match state {
            State::Waiting { reason } if *reason != words => {
                *reason = words;
                true
            }
            State::Waiting { .. } | State::Ready(_) | State::Withdrawn { .. } => false,
        });
    }

    /// The source says that we have no identity: one that we had is gone at once.
    fn withdraw(&mut self, words: String) {
        self.last = None;
        self.state.send_if_modified(|state| {
            let (changed, new) = match state {
                State::Ready(_) => {
                    tracing::error!(reason = words, "our SVID was withdrawn");
                    (true, State::Withdrawn { reason: words })
                }
                State::Withdrawn { reason } => {
                    (*reason != words, State::Withdrawn { reason: words })
                }
                State::Waiting { reason } => (*reason != words, State::Waiting { reason: words }),
            };
            *state = new;
            changed
        });
    }
}

fn not_offered(message: &X509SvidResponse, pick: Option<&Pick>) -> String {
    let wanted = match pick {
        Some(Pick::Hint(hint)) => format!("hint `{hint}`"),
        Some(Pick::SpiffeId(id)) => format!("ID `{id}`"),
        None => String::from("any ID"),
    };
    let offered: Vec<String> = message
        .svids
        .iter()
        .take(MAX_NAMED_SVIDS)
        .map(|svid| format!("`{}` (hint `{}`)", svid.spiffe_id, svid.hint))
        .collect();
    format!("the Workload API issues no SVID with {wanted}, it issues {}", offered.join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use portreeve_core::spiffe::{SpiffeId, TrustDomain};
    use tonic::Code;

    use super::super::proto::X509Svid;
    use super::*;
    use crate::dev::Authority;

    fn message() -> X509SvidResponse {
        let ours = TrustDomain::parse("a.test").unwrap();
        let authority = Authority::new(ours, Clock::system()).unwrap();
        let id = SpiffeId::parse("spiffe://a.test/web").unwrap();
        let issued = authority.issue(&id, Duration::from_secs(60)).unwrap();
        let svid = X509Svid {
            spiffe_id: id.to_string(),
            x509_svid: issued.chain_der().into(),
            x509_svid_key: issued.key_der().to_vec().into(),
            bundle: authority.root().to_vec().into(),
            hint: String::new(),
        };
        X509SvidResponse { svids: vec![svid], ..Default::default() }
    }

    fn published() -> (Published, watch::Receiver<State>) {
        let (state, receiver) = watch::channel(State::Waiting { reason: String::from("new") });
        (Published::new(None, Clock::system(), state), receiver)
    }

    /// Every kind of failure, and whether it takes our SVID away.
    fn failures() -> Vec<(Failure, bool)> {
        let path = PathBuf::from("/run/api.sock");
        let message = String::from("m");
        let io = || std::io::Error::other("io");
        let status = |code, text: &str| Failure::of_status(&path, tonic::Status::new(code, text));
        vec![
            (Failure::Missing { path: path.clone() }, false),
            (Failure::NotASocket { path: path.clone() }, false),
            (Failure::Forbidden { path: path.clone(), source: io() }, false),
            (Failure::Refused { path: path.clone() }, false),
            (Failure::Connect { path: path.clone(), source: io() }, false),
            (Failure::Lost { path: path.clone(), source: io().into() }, false),
            (Failure::Silent { path: path.clone(), seconds: 1 }, false),
            (Failure::Ended { path: path.clone() }, false),
            (Failure::Update { path: path.clone(), source: UpdateError::NoSvid }, false),
            (status(Code::PermissionDenied, &message), true),
            (status(Code::InvalidArgument, &message), false),
            (status(Code::Unimplemented, &message), false),
            (status(Code::Unavailable, &message), false),
            (status(Code::OutOfRange, &message), false),
        ]
    }

    #[test]
    fn only_a_denial_takes_our_svid_away() {
        for (failure, withdraws) in failures() {
            let (mut published, state) = published();
            published.accept(message()).unwrap();
            published.note(&failure, failure.words());
            let seen = matches!(*state.borrow(), State::Withdrawn { .. });
            assert_eq!(seen, withdraws, "{failure:?}");
            let ready = matches!(*state.borrow(), State::Ready(_));
            assert_eq!(ready, !withdraws, "{failure:?}");
        }
    }

    #[test]
    fn before_the_first_svid_every_failure_is_a_reason_to_wait() {
        for (failure, _) in failures() {
            let (mut published, state) = published();
            published.note(&failure, failure.words());
            let state = state.borrow();
            let State::Waiting { reason } = &*state else { panic!("{state:?}") };
            assert!(reason.contains("/run/api.sock"), "{reason}");
        }
    }

    #[test]
    fn the_same_message_again_is_no_update_unless_we_were_denied_between() {
        let (mut published, mut state) = published();
        let message = message();
        published.accept(message.clone()).unwrap();
        state.mark_unchanged();
        published.accept(message.clone()).unwrap();
        assert!(!state.has_changed().unwrap());
        published.withdraw(String::from("denied"));
        published.accept(message).unwrap();
        let state = state.borrow();
        assert!(matches!(&*state, State::Ready(snapshot) if snapshot.sequence == 2), "{state:?}");
    }

    #[test]
    fn a_message_that_cannot_be_used_changes_nothing() {
        let (mut published, mut state) = published();
        let good = message();
        published.accept(good.clone()).unwrap();
        state.mark_unchanged();
        let broken = |change: fn(&mut X509Svid)| {
            let mut message = good.clone();
            message.svids.iter_mut().for_each(change);
            message
        };
        for bad in [
            X509SvidResponse::default(),
            broken(|svid| svid.bundle.clear()),
            broken(|svid| svid.bundle.truncate(9)),
            broken(|svid| svid.x509_svid.clear()),
            broken(|svid| svid.x509_svid_key.clear()),
            broken(|svid| svid.spiffe_id = String::from("spiffe://a.test/other")),
        ] {
            assert!(published.accept(bad.clone()).is_err(), "{bad:?}");
            assert!(!state.has_changed().unwrap(), "{bad:?}");
        }
    }
}
