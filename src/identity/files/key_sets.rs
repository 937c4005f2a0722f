//! JWT bundles from files: a JSON Web Key Set of each trust domain, that somebody else keeps fresh.
//!
//! They are looked at as the other files are, and taken over once they have stood still. A file that
//! cannot be read, or is no key set, leaves its trust domain without keys and touches no other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use portreeve_core::spiffe::{JwtAuthorities, TrustDomain};

use super::read::{FileError, Seen, read};
use super::{FileSettings, blocking};
use crate::clock::Clock;
use crate::identity::Failure;
use crate::identity::jwt_bundles::{JwtBundles, Published};
use crate::identity::workload_api::Follow as _;

/// No longer key set is taken (`JwtAuthorities`); one of a trust domain has about a kilobyte.
const MAX_KEY_SET_BYTES: u64 = 4 << 20;

/// Starts the task that follows the files; it ends when the last [`JwtBundles`] of it is dropped.
pub(in crate::identity) fn spawn(files: &FileSettings, clock: Clock) -> JwtBundles {
    let reason = String::from("the files of `jwt_bundles` have not been read yet");
    let (published, bundles) = Published::new(clock, reason);
    let (files, interval) = (files.jwt_bundles.clone(), files.interval);
    let follower = Follower { files, interval, published, taken: None, pending: None };
    tokio::spawn(follower.run());
    bundles
}

type Files = BTreeMap<TrustDomain, PathBuf>;

struct Follower {
    files: Files,
    interval: Duration,
    published: Published,
    /// How the files looked when they were taken over.
    taken: Option<Seen>,
    /// How they looked at the last look, where that was not yet taken over.
    pending: Option<Seen>,
}

impl Follower {
    async fn run(mut self) {
        let unwatched = self.published.unwatched();
        tokio::pin!(unwatched);
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = &mut unwatched => return,
            }
            if self.look().await.is_err() {
                // The next look reads them anew.
                tracing::warn!("reading the files of `jwt_bundles` was interrupted");
            }
        }
    }

    async fn look(&mut self) -> Result<(), FileError> {
        let seen = self.seen().await?;
        if self.taken.as_ref() == Some(&seen) {
            self.pending = None;
            return Ok(());
        }
        // The first time there is nothing to keep, so nothing is waited for.
        let has_settled = self.pending.as_ref() == Some(&seen) || self.taken.is_none();
        self.pending = Some(seen.clone());
        if !has_settled {
            return Ok(());
        }
        let files = self.files.clone();
        let key_sets = blocking(move || key_sets(files)).await?;
        if self.seen().await? == seen {
            self.take(&key_sets);
            self.taken = Some(seen);
        }
        Ok(())
    }

    async fn seen(&self) -> Result<Seen, FileError> {
        let files = self.files.clone();
        blocking(move || Seen::of_paths(files.values())).await
    }

    fn take(&mut self, key_sets: &[(TrustDomain, Result<Vec<u8>, String>)]) {
        let mut faults = Vec::new();
        let mut read = Vec::new();
        for (trust_domain, key_set) in key_sets {
            match key_set {
                Ok(bytes) => read.push((trust_domain.clone(), &**bytes)),
                Err(words) => {
                    tracing::warn!(%trust_domain, reason = words, "JWT bundle left out");
                    faults.push(words.clone());
                }
            }
        }
        let has_any = !read.is_empty();
        let authorities = JwtAuthorities::new(read);
        faults.extend(authorities.unusable().iter().map(ToString::to_string));
        let failure = (!faults.is_empty()).then(|| faults.join("; "));
        self.published.took_over(authorities, has_any, failure);
    }
}

/// What each file holds, or in words why it cannot be read; blocks.
fn key_sets(files: Files) -> Vec<(TrustDomain, Result<Vec<u8>, String>)> {
    let read = |path: PathBuf| match read(&path, MAX_KEY_SET_BYTES) {
        Ok((bytes, _)) => Ok(bytes),
        Err(source) => Err(Failure::Files { source }.words()),
    };
    files.into_iter().map(|(trust_domain, path)| (trust_domain, read(path))).collect()
}
