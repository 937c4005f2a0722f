//! The thread that loads bundles and frees them: no serving thread ever does either.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use portreeve_core::policy::{Bundle, Findings, Revision, UnboundedBuiltins};
use tokio::sync::oneshot;

use super::Stage;
use super::directory::{Directory, Pointer};
use crate::loader::{Place, SERVING_STACK_BYTES, read_bundle};

/// The store asks for one load at a time and retires one bundle after each.
const MAX_JOBS: usize = 4;
/// A retired bundle is held here until its last request is done; beyond this many, the oldest is let
/// go and freed by whoever holds it last.
const MAX_RETIRED: usize = 64;
/// How often retired bundles are looked at, while there are any.
const RETIRED_TICK: Duration = Duration::from_millis(100);

/// Gives jobs to the thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct LoadThread {
    jobs: SyncSender<Job>,
}

/// Why checked bytes did not become a bundle here.
#[derive(Debug)]
pub(super) struct Refused {
    pub stage: Stage,
    pub text: String,
    pub findings: Findings,
}

enum Job {
    Load(Box<Load>),
    Retire(Arc<Bundle>),
}

struct Load {
    place: Place,
    revision: Revision,
    pointer: Pointer,
    reply: oneshot::Sender<Result<Arc<Bundle>, Refused>>,
}

pub(super) fn start(
    directory: Arc<Directory>,
    builtins: UnboundedBuiltins,
) -> io::Result<LoadThread> {
    let (jobs, queue) = sync_channel(MAX_JOBS);
    std::thread::Builder::new()
        .name("policy-loader".to_owned())
        .stack_size(SERVING_STACK_BYTES)
        .spawn(move || run(&directory, builtins, &queue))?;
    Ok(LoadThread { jobs })
}

impl LoadThread {
    /// Loads the bytes that the pointer names; a candidate is also kept on the disk and pointed at.
    pub(super) async fn load(
        &self,
        place: Place,
        revision: Revision,
        pointer: Pointer,
    ) -> Result<Arc<Bundle>, Refused> {
        let (reply, answer) = oneshot::channel();
        let gone = || refused(Stage::Load, "the loading thread has ended".to_owned());
        let job = Job::Load(Box::new(Load { place, revision, pointer, reply }));
        self.jobs.try_send(job).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Hands over a bundle that nobody will be given any more.
    pub(super) fn retire(&self, bundle: Arc<Bundle>) {
        // A full queue only means that the last request under this bundle frees it.
        let _ = self.jobs.try_send(Job::Retire(bundle));
    }
}

fn run(directory: &Directory, builtins: UnboundedBuiltins, queue: &Receiver<Job>) {
    let mut retired: Vec<Arc<Bundle>> = Vec::new();
    loop {
        let job = if retired.is_empty() {
            queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            queue.recv_timeout(RETIRED_TICK)
        };
        match job {
            Ok(Job::Load(job)) => {
                let Load { place, revision, pointer, reply } = *job;
                // A reply that nobody waits for drops its bundle here.
                let loaded = load(directory, place, revision, &pointer);
                let _ = reply.send(loaded.map(|bundle| Arc::new(bundle.widened(builtins))));
            }
            Ok(Job::Retire(bundle)) => {
                if retired.len() >= MAX_RETIRED {
                    retired.remove(0);
                }
                retired.push(bundle);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        retired.retain(|bundle| Arc::strong_count(bundle) > 1);
    }
}

fn load(
    directory: &Directory,
    place: Place,
    revision: Revision,
    pointer: &Pointer,
) -> Result<Bundle, Refused> {
    let files = read_bundle(directory.path(), place, &pointer.digest)
        .map_err(|error| refused(Stage::Load, format!("failed to read the bundle: {error}")))?;
    let bundle = match catch_unwind(AssertUnwindSafe(|| Bundle::load(&files, revision))) {
        Ok(Ok((bundle, _))) => bundle,
        Ok(Err(findings)) => {
            let text = "the check accepted the bundle, and it does not load".to_owned();
            return Err(Refused { stage: Stage::Load, text, findings });
        }
        Err(_) => return Err(refused(Stage::Load, "loading the bundle panicked".to_owned())),
    };
    if place == Place::Candidates {
        directory.keep(pointer).map_err(|error| {
            refused(Stage::Store, format!("failed to keep the bundle on the disk: {error}"))
        })?;
    }
    Ok(bundle)
}

fn refused(stage: Stage, text: String) -> Refused {
    Refused { stage, text, findings: Findings::default() }
}
