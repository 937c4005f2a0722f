//! Our identity from files that somebody else keeps fresh: a helper of SPIRE, cert-manager, a
//! secret that Kubernetes mounts.
//!
//! The files are looked at on an interval. A change is taken over once it has stood still for one
//! interval, and only as a whole: certificate and key that do not belong together mean that somebody is
//! in the middle of an update, so the last good identity stays and the files are read again.

mod read;
mod pem;
mod material;
pub(super) mod key_sets;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use portreeve_core::spiffe::TrustDomain;
use sha2::{Digest as _, Sha256};

use super::publish::Published;
use super::{Failure, Identity, Pick, Settings};
use crate::clock::Clock;
pub use read::FileError;
use read::{Contents, Seen};

/// How often files are looked at unless the settings say otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);

/// Which files hold what; every path is followed anew at each look, links included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The leaf's private key: PKCS#8, SEC 1 or PKCS#1.
    pub key: PathBuf,
    /// The roots of each trust domain; our own must be among them.
    pub bundles: BTreeMap<TrustDomain, PathBuf>,
    /// The JSON Web Key Set of each trust domain whose JWT-SVIDs are taken.
    pub jwt_bundles: BTreeMap<TrustDomain, PathBuf>,
    /// Revocation lists, PEM or DER.
    pub crls: Vec<PathBuf>,
    pub interval: Duration,
}

/// Starts the task that follows the files; it ends when the last [`Identity`] of it is dropped.
pub(super) fn spawn(files: &FileSettings, settings: &Settings, clock: Clock) -> Identity {
    let reason = format!("`{}` has not been read yet", files.certificate.display());
    let (published, identity) = Published::new(settings, clock, reason);
    let follower = Follower {
        files: files.clone(),
        pick: settings.pick.clone(),
        published,
        taken: None,
        pending: None,
        digest: None,
        warned: false,
    };
    tokio::spawn(follower.run());
    identity
}

struct Follower {
    files: FileSettings,
    pick: Option<Pick>,
    published: Published,
    /// How the files looked when they were taken over.
    taken: Option<Seen>,
    /// How they looked at the last look, where that was not yet taken over.
    pending: Option<Seen>,
    /// Of the contents that the present snapshot was made of.
    digest: Option<[u8; 32]>,
    /// Whether a key that a group may read was told of.
    warned: bool,
}

impl Follower {
    async fn run(mut self) {
        let unwatched = self.published.unwatched();
        tokio::pin!(unwatched);
        let mut ticks = tokio::time::interval(self.files.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut logged = String::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = &mut unwatched => return,
            }
            match self.look().await {
                Ok(Looked::Waiting) => {}
                Ok(Looked::Good) => {
                    logged.clear();
                    self.published.answered();
                }
                Err(source) => {
                    let failure = Failure::Files { source };
                    let words = failure.words();
                    if words != logged {
                        tracing::warn!(reason = words, "no update from the identity's files");
                        logged.clone_from(&words);
                    }
                    self.published.note(&failure, words);
                }
            }
        }
    }

    /// One look at the files; an error keeps what was taken over.
    async fn look(&mut self) -> Result<Looked, FileError> {
        let files = self.files.clone();
        let (seen, files) = blocking(move || (Seen::of(&files), files)).await?;
        if self.taken.as_ref() == Some(&seen) {
            self.pending = None;
            return Ok(Looked::Good);
        }
        // The first time there is nothing to keep, so nothing is waited for.
        let has_settled = self.pending.as_ref() == Some(&seen) || self.digest.is_none();
        self.pending = Some(seen.clone());
        if !has_settled {
            return Ok(Looked::Waiting);
        }
        let contents = blocking(move || Contents::read(&files)).await??;
        let again = self.files.clone();
        if blocking(move || Seen::of(&again)).await? != seen {
            return Ok(Looked::Waiting);
        }
        self.take(contents)?;
        self.taken = Some(seen);
        Ok(Looked::Good)
    }

    fn take(&mut self, contents: Contents) -> Result<(), FileError> {
        if contents.key_is_shared && !self.warned {
            self.warned = true;
            let key = self.files.key.display();
            tracing::warn!(%key, "the group may read the private key: give it to our user alone");
        }
        let digest = contents.digest();
        if self.digest == Some(digest) {
            return Ok(());
        }
        let update = material::read(&self.files, contents, self.pick.as_ref())?;
        for bundle in &update.unusable {
            tracing::warn!(bundle.name, reason = bundle.text, "foreign bundle left out");
        }
        self.published.publish(update).map_err(|source| FileError::Update { source })?;
        self.digest = Some(digest);
        Ok(())
    }
}

/// What a look has found.
enum Looked {
    /// What is published is what the files hold.
    Good,
    /// Something changes.
    Waiting,
}

/// A disk may be slow, and a network's may be gone.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, FileError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| FileError::Interrupted)
}

impl Contents {
    fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for bytes in self.all() {
            hasher.update(bytes.len().to_le_bytes());
            hasher.update(bytes);
        }
        hasher.finalize().into()
    }
}
