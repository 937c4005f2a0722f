//! What the messages of the Workload API offer: the SVID that is picked, and the same said twice.

use super::proto::{X509Svid, X509SvidResponse};
use super::publish::Published;
use super::update::{self, Update};
use super::{Pick, UpdateError};

/// So many SVIDs are named when the picked one is not among them.
const MAX_NAMED_SVIDS: usize = 8;

pub(super) struct Offers {
    pick: Option<Pick>,
    pub(super) published: Published,
    /// The part of a message that the present snapshot was made of: the same again is no update.
    last: Option<X509SvidResponse>,
}

impl Offers {
    pub(super) const fn new(pick: Option<Pick>, published: Published) -> Self {
        Self { pick, published, last: None }
    }

    /// Publishes what a message says.
    ///
    /// # Errors
    /// The message cannot be used; the state is as before.
    pub(super) fn accept(&mut self, message: X509SvidResponse) -> Result<(), UpdateError> {
        let Some(own) = update::picked(&message, self.pick.as_ref())? else {
            self.published.withdraw(not_offered(&message, self.pick.as_ref()));
            return Ok(());
        };
        let served = served(&message, own);
        if self.published.is_ready() && self.last.as_ref() == Some(&served) {
            self.published.answered();
            return Ok(());
        }
        let svid = update::read_svid(own)?;
        let (bundles, unusable) = update::read_bundles(&message, own, &svid.id)?;
        for bundle in &unusable {
            tracing::warn!(bundle.name, reason = bundle.text, "foreign bundle left out");
        }
        let crls = message.crl.iter().map(|crl| crl.to_vec().into()).collect();
        self.published.publish(Update { svid, bundles, crls, unusable })?;
        self.last = Some(served);
        Ok(())
    }
}

/// What of a message we serve with. SPIRE sends one for each SVID that it renews, also for those that
/// are not picked.
fn served(message: &X509SvidResponse, own: &X509Svid) -> X509SvidResponse {
    let own = X509Svid { hint: String::new(), ..own.clone() };
    X509SvidResponse {
        svids: vec![own],
        crl: message.crl.clone(),
        federated_bundles: message.federated_bundles.clone(),
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
    use tokio::sync::watch;
    use tonic::Code;

    use super::super::{Failure, Settings, Source, State};
    use super::*;
    use crate::clock::Clock;
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

    fn offers() -> (Offers, watch::Receiver<State>) {
        let settings =
            Settings::new(Source::WorkloadApi { socket: PathBuf::from("/run/api.sock") });
        let (published, identity) = Published::new(&settings, Clock::system(), String::from("new"));
        (Offers::new(None, published), identity.updates())
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
            let (mut offers, state) = offers();
            offers.accept(message()).unwrap();
            offers.published.note(&failure, failure.words());
            let seen = matches!(*state.borrow(), State::Withdrawn { .. });
            assert_eq!(seen, withdraws, "{failure:?}");
            let ready = matches!(*state.borrow(), State::Ready(_));
            assert_eq!(ready, !withdraws, "{failure:?}");
        }
    }

    #[test]
    fn before_the_first_svid_every_failure_is_a_reason_to_wait() {
        for (failure, _) in failures() {
            let (mut offers, state) = offers();
            offers.published.note(&failure, failure.words());
            let state = state.borrow();
            let State::Waiting { reason } = &*state else { panic!("{state:?}") };
            assert!(reason.contains("/run/api.sock"), "{reason}");
        }
    }

    #[test]
    fn the_same_message_again_is_no_update_unless_we_were_denied_between() {
        let (mut offers, mut state) = offers();
        let message = message();
        offers.accept(message.clone()).unwrap();
        state.mark_unchanged();
        offers.accept(message.clone()).unwrap();
        assert!(!state.has_changed().unwrap());
        offers.published.withdraw(String::from("denied"));
        offers.accept(message).unwrap();
        let state = state.borrow();
        assert!(matches!(&*state, State::Ready(snapshot) if snapshot.sequence == 2), "{state:?}");
    }

    #[test]
    fn a_renewed_svid_that_is_not_picked_is_no_update() {
        let (mut offers, mut state) = offers();
        let [ours, other, renewed] = [message(), message(), message()].map(|m| m.svids[0].clone());
        let both = |first: &X509Svid, second: &X509Svid| X509SvidResponse {
            svids: vec![first.clone(), second.clone()],
            ..Default::default()
        };
        let sequence = |state: &mut watch::Receiver<State>| match &*state.borrow_and_update() {
            State::Ready(snapshot) => snapshot.sequence,
            other => panic!("{other:?}"),
        };
        offers.accept(both(&ours, &other)).unwrap();
        assert_eq!(sequence(&mut state), 1);
        offers.accept(both(&ours, &renewed)).unwrap();
        assert!(!state.has_changed().unwrap());
        // What we serve counts, one by one: our SVID, its bundle, foreign bundles, revocations.
        offers.accept(both(&renewed, &other)).unwrap();
        assert_eq!(sequence(&mut state), 2);
        let mut message = both(&renewed, &other);
        message.svids[0].bundle = [&renewed.bundle[..], &other.bundle[..]].concat().into();
        offers.accept(message.clone()).unwrap();
        assert_eq!(sequence(&mut state), 3);
        message.federated_bundles.insert("spiffe://b.test".to_owned(), other.bundle);
        offers.accept(message.clone()).unwrap();
        assert_eq!(sequence(&mut state), 4);
        message.crl.push(vec![1].into());
        offers.accept(message).unwrap();
        assert_eq!(sequence(&mut state), 5);
    }

    #[test]
    fn a_message_that_cannot_be_used_changes_nothing() {
        let (mut offers, mut state) = offers();
        let good = message();
        offers.accept(good.clone()).unwrap();
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
            assert!(offers.accept(bad.clone()).is_err(), "{bad:?}");
            assert!(!state.has_changed().unwrap(), "{bad:?}");
        }
    }
}
