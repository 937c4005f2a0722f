//! The git-synced policy store: which bundle is active, and how the next one becomes it.
//!
//! A source is polled through the loader's keeper; a candidate that its check accepts is loaded on a
//! thread of its own and swapped in whole. Leaves: the active [`Bundle`] for each request, a
//! [`Status`], and [`Event`]s for the log. Whatever fails keeps the active bundle. Nothing foreign is
//! parsed here before the check said `ok` to those very bytes.

mod status;
mod schedule;
mod directory;
mod load_thread;
mod activation;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use portreeve_core::policy::{Bundle, Findings, Languages, Revision, UnboundedBuiltins};
use tokio::sync::{Notify, mpsc};

use crate::clock::Clock;
use crate::loader::{Assignment, Keeper, Limits, LoaderError, Source};

pub use directory::{DirectoryError, last_good};
pub use status::{ActiveStatus, Failure, LoaderState, LoaderStatus, Stage, Status, with_findings};

/// Events wait here for the log; when it is full, the store waits too and nothing is lost.
const EVENT_CAPACITY: usize = 64;

/// Where policy comes from and how often it is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub source: Source,
    pub interval: Duration,
    /// The mirror and the activated bundles; under `state_dir`.
    pub directory: PathBuf,
    /// Whether Rego is decided in the pool, with room for it.
    pub unbounded_builtins: UnboundedBuiltins,
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("failed to open the policy store")]
    Directory(#[from] DirectoryError),
    #[error("failed to start the policy loader")]
    Loader(#[from] LoaderError),
    #[error("failed to start the policy loader's thread")]
    Thread(#[source] std::io::Error),
}

/// What happened, for the log and the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A bundle became the active one.
    Activated {
        from: Option<Revision>,
        to: Revision,
        languages: Languages,
        /// Warnings that the check gave.
        findings: Findings,
        /// It is the last good one from the disk, at the start.
        restored: bool,
    },
    /// A candidate did not become active; what was active still is.
    Rejected { commit: String, digest: String, stage: Stage, text: String, findings: Findings },
    /// The source could not be read.
    FetchFailed { text: String },
    /// The loader has ended: the active bundle stays, and no other can follow it.
    LoaderGone { text: String },
}

/// A handle on the store; clones see the same bundle.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    active: ArcSwapOption<Bundle>,
    /// Wakes who waits for a bundle.
    activated: Notify,
    status: Mutex<Status>,
    refresh: Notify,
}

impl Store {
    /// Opens the store, starts the loader and its schedule; ends when the receiver is dropped.
    ///
    /// `program` is this binary: [`crate::loader::THIS_PROGRAM`].
    ///
    /// # Errors
    /// The directory is in use, of a newer format or not writable; the loader does not start.
    pub async fn spawn(
        settings: Settings,
        clock: Clock,
        program: &Path,
    ) -> Result<(Self, mpsc::Receiver<Event>), StoreError> {
        let directory = Arc::new(directory::Directory::open(&settings.directory)?);
        let Settings { source, interval, directory: _, unbounded_builtins } = settings;
        let assignment = Assignment {
            source: source.clone(),
            store: directory.path().to_path_buf(),
            limits: Limits::default(),
            unbounded_builtins,
        };
        let keeper = Keeper::start(program, &assignment).await?;
        let shared = Arc::new(Shared::new(&source));
        shared.update(|status| {
            let sandbox = keeper.sandbox.clone();
            let process = keeper.id();
            status.loader =
                LoaderStatus { state: LoaderState::Ready, process, text: None, sandbox };
        });
        let loads = load_thread::start(Arc::clone(&directory), unbounded_builtins)
            .map_err(StoreError::Thread)?;
        let (events, receiver) = mpsc::channel(EVENT_CAPACITY);
        let shared_by_task = Arc::clone(&shared);
        let task = activation::Task::new(
            source,
            interval,
            clock,
            directory,
            keeper,
            loads,
            shared_by_task,
            events,
        );
        tokio::spawn(task.run());
        Ok((Self { shared }, receiver))
    }

    /// The bundle to decide with now; whoever holds it keeps deciding with that revision.
    #[must_use]
    pub fn active(&self) -> Option<Arc<Bundle>> {
        self.shared.active.load_full()
    }

    /// Waits until there is a bundle to decide with.
    pub async fn ready(&self) {
        loop {
            let activated = self.shared.activated.notified();
            if self.shared.active.load().is_some() {
                return;
            }
            activated.await;
        }
    }

    /// What is active, what was tried, and why not.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.lock().clone()
    }

    /// Looks at the source now, and looks again at what was rejected.
    pub fn refresh(&self) {
        self.shared.refresh.notify_one();
    }
}

#[cfg(test)]
impl Store {
    /// A store without a source, whose bundle a test changes.
    pub(crate) fn holding(bundle: Bundle) -> Self {
        let store = Self { shared: Arc::new(Shared::new(&Source::Dir("/".into()))) };
        store.hold(bundle);
        store
    }

    pub(crate) fn hold(&self, bundle: Bundle) {
        self.shared.active.store(Some(Arc::new(bundle)));
    }
}

impl Shared {
    fn new(source: &Source) -> Self {
        Self {
            active: ArcSwapOption::empty(),
            activated: Notify::new(),
            status: Mutex::new(Status::new(source)),
            refresh: Notify::new(),
        }
    }

    fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
