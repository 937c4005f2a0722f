//! The keys that JWT-SVIDs are verified with: one task that follows `FetchJWTBundles` for ever.
//!
//! Keys have no expiry of their own: while the API is away the last ones stand, and their age is told.
//! A `PermissionDenied` takes them all back at once. Without keys no token holds.

use std::sync::Arc;

use arc_swap::ArcSwap;
use portreeve_core::Timestamp;
use portreeve_core::spiffe::JwtAuthorities;
use tokio::sync::watch;

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
    let Source::WorkloadApi { socket } = &settings.source;
    let failure = format!("the Workload API at `{}` has not answered yet", socket.display());
    let (published, bundles) = Published::new(clock, failure);
    follow(socket.clone(), published);
    bundles
}

struct Published {
    clock: Clock,
    authorities: Arc<ArcSwap<JwtAuthorities>>,
    state: watch::Sender<JwtState>,
    /// The message that the present keys were made of: the same again is no update.
    last: Option<JwtBundlesResponse>,
}

impl Published {
    fn new(clock: Clock, failure: String) -> (Self, JwtBundles) {
        let (state, receiver) =
            watch::channel(JwtState { received: None, failure: Some(failure) });
        let authorities = Arc::new(ArcSwap::default());
        let bundles = JwtBundles { authorities: Arc::clone(&authorities), state: receiver };
        (Self { clock, authorities, state, last: None }, bundles)
    }

    fn publish(&mut self, message: JwtBundlesResponse) {
        let named = message.bundles.iter().filter_map(|(name, keys)| {
            match trust_domain_named(name) {
                Ok(trust_domain) => Some((trust_domain, &keys[..])),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(bundle.name = name, error, "JWT bundle left out: no trust domain");
                    None
                }
            }
        });
        let authorities = JwtAuthorities::new(named);
        for unusable in authorities.unusable() {
            tracing::warn!("not used: {unusable}");
        }
        let trust_domains = authorities.trust_domains().count();
        tracing::info!(trust_domains, "JWT bundles received");
        self.authorities.store(Arc::new(authorities));
        self.last = Some(message);
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


