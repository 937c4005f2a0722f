//! The keys that JWT-SVIDs are verified with: one task that follows `FetchJWTBundles`, or files, for
//! ever.
//!
//! Keys have no expiry of their own: while the API is away the last ones stand, and their age is told.
//! A `PermissionDenied` takes them all back at once. Without keys no token holds.

use std::sync::Arc;

use arc_swap::ArcSwap;
use portreeve_core::Timestamp;
use portreeve_core::spiffe::JwtAuthorities;
use tokio::sync::watch;

use super::files::key_sets;
use super::proto::{self, JwtBundlesRequest, JwtBundlesResponse};
use super::update::trust_domain_named;
use super::workload_api::{Follow, follow};
use super::{Failure, Settings, Source, UpdateError};
use crate::clock::Clock;

/// A handle on the keys; clones see the same updates.
#[derive(Clone, Debug)]
pub struct JwtBundles {
    authorities: Arc<ArcSwap<JwtAuthorities>>,
    state: watch::Receiver<JwtState>,
}

/// What the source has said of JWT bundles so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwtState {
    /// When the source last gave the bundles that are in force; `None` while there are none.
    pub received: Option<Timestamp>,
    /// Why there is nothing newer, while that is so.
    pub failure: Option<String>,
}

impl JwtBundles {
    /// The keys in force, swapped whole by an update.
    #[must_use]
    pub fn authorities(&self) -> &Arc<ArcSwap<JwtAuthorities>> {
        &self.authorities
    }

    #[must_use]
    pub fn state(&self) -> JwtState {
        self.state.borrow().clone()
    }

    /// A receiver that wakes at every update.
    #[must_use]
    pub fn updates(&self) -> watch::Receiver<JwtState> {
        self.state.clone()
    }
}

/// Starts the task that follows the source; it ends when the last [`JwtBundles`] of it is dropped.
#[must_use]
pub fn spawn(settings: &Settings, clock: Clock) -> JwtBundles {
    let socket = match &settings.source {
        Source::WorkloadApi { socket } => socket,
        Source::Files(files) => return key_sets::spawn(files, clock),
    };
    let failure = format!("the Workload API at `{}` has not answered yet", socket.display());
    let (published, bundles) = Published::new(clock, failure);
    follow(socket.clone(), published);
    bundles
}

/// The side of a source.
pub(super) struct Published {
    clock: Clock,
    authorities: Arc<ArcSwap<JwtAuthorities>>,
    state: watch::Sender<JwtState>,
    /// The message that the present keys were made of: the same again is no update.
    last: Option<JwtBundlesResponse>,
}

impl Published {
    pub(super) fn new(clock: Clock, failure: String) -> (Self, JwtBundles) {
        let (state, receiver) = watch::channel(JwtState { received: None, failure: Some(failure) });
        let authorities = Arc::new(ArcSwap::default());
        let bundles = JwtBundles { authorities: Arc::clone(&authorities), state: receiver };
        (Self { clock, authorities, state, last: None }, bundles)
    }

    fn publish(&mut self, message: JwtBundlesResponse) {
        let named =
            message.bundles.iter().filter_map(|(name, keys)| match trust_domain_named(name) {
                Ok(trust_domain) => Some((trust_domain, &keys[..])),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        bundle.name = name,
                        error,
                        "JWT bundle left out: no trust domain"
                    );
                    None
                }
            });
        self.put(JwtAuthorities::new(named));
        self.last = Some(message);
    }

    /// The keys of files, as a look has found them, and what is wrong with the others.
    pub(super) fn took_over(
        &mut self,
        authorities: JwtAuthorities,
        has_any: bool,
        failure: Option<String>,
    ) {
        self.put(authorities);
        let received = has_any.then(|| self.clock.now());
        self.state.send_replace(JwtState { received, failure });
    }

    fn put(&self, authorities: JwtAuthorities) {
        for unusable in authorities.unusable() {
            tracing::warn!("not used: {unusable}");
        }
        let trust_domains = authorities.trust_domains().count();
        tracing::info!(trust_domains, "JWT bundles received");
        self.authorities.store(Arc::new(authorities));
    }
}

impl Follow for Published {
    type Question = JwtBundlesRequest;
    type Message = JwtBundlesResponse;
    const CALL: &'static str = proto::FETCH_JWT_BUNDLES;

    fn accept(&mut self, message: JwtBundlesResponse) -> Result<(), UpdateError> {
        if self.last.as_ref() != Some(&message) {
            self.publish(message);
        }
        let received = Some(self.clock.now());
        self.state.send_replace(JwtState { received, failure: None });
        Ok(())
    }

    fn note(&mut self, failure: &Failure, words: String) {
        let is_denied = matches!(failure, Failure::Denied { .. });
        if is_denied && self.last.take().is_some() {
            tracing::error!(reason = words, "the JWT bundles were withdrawn");
            self.authorities.store(Arc::default());
        }
        self.state.send_if_modified(|state| {
            let received = if is_denied { None } else { state.received };
            let new = JwtState { received, failure: Some(words) };
            let changed = *state != new;
            *state = new;
            changed
        });
    }

    fn unwatched(&self) -> impl Future<Output = ()> + Send + use<> {
        let state = self.state.clone();
        async move { state.closed().await }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use portreeve_core::spiffe::SpiffeId;
    use tonic::Code;

    use super::*;
    use crate::dev::{Entry, Fault, JwtAuthority, Settings as DevSettings, WorkloadApi};

    const NAME: &str = "spiffe://a.test";

    fn message(bundles: &[(&str, &str)]) -> JwtBundlesResponse {
        let own =
            |(name, keys): &(&str, &str)| ((*name).to_owned(), keys.as_bytes().to_vec().into());
        JwtBundlesResponse { bundles: bundles.iter().map(own).collect() }
    }

    /// The trust domains with their usable keys.
    fn keys(bundles: &JwtBundles) -> String {
        let authorities = bundles.authorities().load();
        let keys = authorities.trust_domains().map(|(name, keys)| format!("{name} {keys}"));
        keys.collect::<Vec<_>>().join(", ")
    }

    fn status(code: Code) -> Failure {
        Failure::of_status(&PathBuf::from("/api.sock"), tonic::Status::new(code, "m"))
    }

    #[test]
    fn a_bundle_that_cannot_be_read_trusts_nothing_and_stops_no_other() {
        let (mut published, bundles) = Published::new(Clock::system(), String::new());
        let good = JwtAuthority::new().unwrap().key_set();
        let foreign = [("spiffe://b.test", "no JSON"), ("spiffe://c.test/path", &*good)];
        let more = [(NAME, &*good), ("spiffe://d.test", r#"{"keys": []}"#)];
        published.accept(message(&[foreign, more].concat())).unwrap();
        assert_eq!(keys(&bundles), "a.test 1, b.test 0, d.test 0");
        published.accept(message(&[])).unwrap();
        assert_eq!(keys(&bundles), "");
    }

    #[test]
    fn keys_stand_while_the_api_is_away_and_go_with_a_denial() {
        let (mut published, bundles) = Published::new(Clock::system(), String::from("new"));
        assert_eq!(bundles.state(), JwtState { received: None, failure: Some("new".into()) });
        published.accept(message(&[(NAME, &JwtAuthority::new().unwrap().key_set())])).unwrap();
        assert_eq!(bundles.state().failure, None);
        published.note(&status(Code::Unavailable), String::from("away"));
        assert_eq!(
            (keys(&bundles), bundles.state().failure),
            ("a.test 1".into(), Some("away".into()))
        );
        assert!(bundles.state().received.is_some());
        published.note(&status(Code::PermissionDenied), String::from("denied"));
        assert_eq!((keys(&bundles), bundles.state().received), (String::new(), None));
    }

    #[test]
    fn the_same_message_again_leaves_what_was_verified() {
        let (mut published, bundles) = Published::new(Clock::system(), String::new());
        let first = message(&[(NAME, &JwtAuthority::new().unwrap().key_set())]);
        published.accept(first.clone()).unwrap();
        let before = bundles.authorities().load_full();
        published.note(&status(Code::Unavailable), String::from("away"));
        published.accept(first.clone()).unwrap();
        assert!(Arc::ptr_eq(&before, &bundles.authorities().load()));
        published.note(&status(Code::PermissionDenied), String::from("denied"));
        published.accept(first).unwrap();
        assert_eq!(keys(&bundles), "a.test 1");
    }

    #[tokio::test]
    async fn a_stream_is_followed_over_rotation_and_faults() {
        let dir = tempfile::tempdir().unwrap();
        let trust_domain = portreeve_core::spiffe::TrustDomain::parse("a.test").unwrap();
        let socket = dir.path().join("api.sock");
        let mut settings = DevSettings::new(trust_domain, socket.clone());
        settings.entries = vec![Entry::any(SpiffeId::parse("spiffe://a.test/web").unwrap())];
        let api = WorkloadApi::start(settings).unwrap();
        let settings = Settings::new(Source::WorkloadApi { socket });
        let bundles = spawn(&settings, Clock::system());
        let until = async |wanted: &str| {
            let mut updates = bundles.updates();
            let waited = updates.wait_for(|_| keys(&bundles) == wanted);
            let waited = tokio::time::timeout(Duration::from_secs(10), waited).await;
            assert!(waited.is_ok(), "{wanted} and not {}", keys(&bundles));
        };
        until("a.test 1").await;
        api.rotate_authority().unwrap();
        until("a.test 2").await;
        api.set_fault(Fault::Denied);
        until("").await;
        api.set_fault(Fault::None);
        until("a.test 2").await;
    }
}
