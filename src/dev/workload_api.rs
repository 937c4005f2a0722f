//! The running server, and the switches that tests turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::domain::Domain;
use super::socket::{self, Bound};
use super::{Access, Authority, AuthorityError, Entry, EntryError, Issued, SocketError, server};
use crate::clock::Clock;

/// A certificate's times are whole seconds.
const MIN_TTL: Duration = Duration::from_secs(1);
/// What is issued for development is of no use after a day.
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// SPIRE's default for an X.509-SVID.
pub const DEFAULT_TTL: Duration = Duration::from_secs(60 * 60);
/// Each entry costs a key at every rotation.
const MAX_ENTRIES: usize = 1000;

/// What the embedded Workload API serves, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// It must end in `.dev`, `.test` or `.localhost`.
    pub trust_domain: TrustDomain,
    pub socket: PathBuf,
    pub access: Access,
    /// How long an SVID holds; it is replaced at half of it.
    pub ttl: Duration,
    pub entries: Vec<Entry>,
    pub clock: Clock,
}

/// Why the server does not start, or refuses new entries.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("failed to make the authority")]
    Authority {
        #[from]
        source: AuthorityError,
    },
    #[error("the socket cannot be bound")]
    Socket { source: SocketError },
    #[error("the entries are refused")]
    Entry { source: EntryError },
    #[error("{count} entries are more than {MAX_ENTRIES}")]
    ManyEntries { count: usize },
    #[error("a time to live of {seconds} s is not between 1 s and 24 h", seconds = ttl.as_secs_f64())]
    Ttl { ttl: Duration },
}

/// How a test makes the server misbehave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// Every call is answered with `PermissionDenied`, open streams end with it.
    Denied,
    /// Every call is answered with `Unavailable`, open streams end with it.
    Unavailable,
    /// The bundle of the trust domain itself is no DER.
    GarbageBundle,
}

/// An embedded trust domain that serves; it stops when this is dropped.
#[derive(Debug)]
pub struct WorkloadApi {
    domain: Arc<watch::Sender<Domain>>,
    bound: Bound,
    tasks: JoinSet<()>,
}

impl Settings {
    /// No entries yet, SVIDs of an hour, a socket for this user alone.
    #[must_use]
    pub fn new(trust_domain: TrustDomain, socket: PathBuf) -> Self {
        let (access, ttl) = (Access::Owner, DEFAULT_TTL);
        Self { trust_domain, socket, access, ttl, entries: Vec::new(), clock: Clock::system() }
    }
}

impl WorkloadApi {
    /// Makes a new authority and serves, in tasks of the present runtime.
    ///
    /// # Errors
    /// A setting is refused, or the socket cannot be bound.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings { trust_domain, socket, access, ttl, entries, clock } = settings;
        if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
            return Err(StartError::Ttl { ttl });
        }
        check_entries(&entries, &trust_domain)?;
        let mut domain = Domain::new(trust_domain.clone(), clock, ttl)?;
        domain.register(entries)?;
        let (listener, bound) =
            socket::bind(&socket, access).map_err(|source| StartError::Socket { source })?;
        let (domain, receiver) = watch::channel(domain);
        let domain = Arc::new(domain);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, receiver));
        tasks.spawn(rotate_at_half_life(Arc::clone(&domain), ttl / 2));
        tracing::warn!(
            source = "embedded-dev",
            %trust_domain,
            socket = %socket.display(),
            "the embedded Workload API is for development only: it proves nothing about a caller \
             but its Unix user"
        );
        Ok(Self { domain, bound, tasks })
    }

    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.bound.path
    }

    /// What belongs in `SPIFFE_ENDPOINT_SOCKET`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.bound.path.display())
    }

    /// What issues at present: for leaves of a test's own.
    #[must_use]
    pub fn authority(&self) -> Arc<Authority> {
        Arc::clone(&self.domain.borrow().active.x509)
    }

    /// Issues an SVID without asking who wants it.
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn issue(&self, id: &SpiffeId) -> Result<Issued, AuthorityError> {
        let domain = self.domain.borrow();
        domain.active.x509.issue(id, domain.ttl)
    }

    /// Signs a JWT-SVID without asking who wants it.
    ///
    /// # Errors
    /// Signing fails.
    pub fn issue_jwt(
        &self,
        id: &SpiffeId,
        audience: &[String],
        ttl: Duration,
    ) -> Result<String, AuthorityError> {
        let domain = self.domain.borrow();
        domain.active.jwt.sign(id, audience, domain.clock.now(), ttl)
    }

    /// The roots of the trust domain, the oldest first.
    #[must_use]
    pub fn bundle(&self) -> Vec<CertificateDer<'static>> {
        self.domain.borrow().roots().cloned().collect()
    }

    /// Replaces all entries.
    ///
    /// # Errors
    /// An entry is refused; the present ones stay.
    pub fn set_entries(&self, entries: Vec<Entry>) -> Result<(), StartError> {
        check_entries(&entries, &self.domain.borrow().trust_domain)?;
        Ok(change(&self.domain, |domain| domain.register(entries))?)
    }

    /// Issues every SVID again, with a new key.
    ///
    /// # Errors
    /// A key cannot be made.
    pub fn rotate_svids(&self) -> Result<(), AuthorityError> {
        change(&self.domain, Domain::reissue)
    }

    /// Makes a new authority, which issues from now on; the old ones are trusted until
    /// [`Self::retire_authorities`].
    ///
    /// # Errors
    /// A key cannot be made.
    pub fn rotate_authority(&self) -> Result<(), AuthorityError> {
        change(&self.domain, Domain::rotate)
    }

    /// Trusts only the authority that issues.
    pub fn retire_authorities(&self) {
        self.domain.send_modify(Domain::retire);
    }

    /// Hands out this bundle (concatenated DER; not checked, so that tests can send anything) for a
    /// foreign trust domain.
    pub fn federate(&self, foreign: &TrustDomain, bundle: impl Into<Bytes>) {
        let (key, bundle) = (format!("spiffe://{foreign}"), bundle.into());
        self.domain.send_modify(|domain| {
            domain.federated.insert(key, bundle);
        });
    }

    /// Hands out this JWK set (not checked) for a foreign trust domain.
    pub fn federate_jwt(&self, foreign: &TrustDomain, key_set: impl Into<Bytes>) {
        let (key, key_set) = (format!("spiffe://{foreign}"), key_set.into());
        self.domain.send_modify(|domain| {
            domain.federated_jwt.insert(key, key_set);
        });
    }

    /// Hands out no bundle for a foreign trust domain any more.
    pub fn defederate(&self, foreign: &TrustDomain) {
        let key = format!("spiffe://{foreign}");
        self.domain.send_modify(|domain| {
            domain.federated.remove(&key);
            domain.federated_jwt.remove(&key);
        });
    }

    pub fn set_fault(&self, fault: Fault) {
        self.domain.send_modify(|domain| domain.fault = fault);
    }

    /// Ends every open stream with `Unavailable`.
    pub fn drop_streams(&self) {
        self.domain.send_modify(|domain| domain.streams += 1);
    }

    /// Stops and waits until the socket is closed.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

fn check_entries(entries: &[Entry], trust_domain: &TrustDomain) -> Result<(), StartError> {
    if entries.len() > MAX_ENTRIES {
        return Err(StartError::ManyEntries { count: entries.len() });
    }
    let checked = entries.iter().try_for_each(|entry| entry.check(trust_domain));
    checked.map_err(|source| StartError::Entry { source })
}

/// Changes the domain as a whole: streams wake only if it went well.
fn change(
    domain: &watch::Sender<Domain>,
    by: impl FnOnce(&mut Domain) -> Result<(), AuthorityError>,
) -> Result<(), AuthorityError> {
    let mut outcome = Ok(());
    domain.send_if_modified(|domain| {
        outcome = by(domain);
        outcome.is_ok()
    });
    outcome
}

async fn rotate_at_half_life(domain: Arc<watch::Sender<Domain>>, half_life: Duration) {
    loop {
        tokio::time::sleep(half_life).await;
        if let Err(error) = change(&domain, Domain::reissue) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "SVIDs not rotated");
        }
    }
}
