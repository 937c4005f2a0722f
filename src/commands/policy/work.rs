//! What the commands do with a bundle, each in a process of its own: foreign policy may hang or abort
//! whatever reads it.
//!
//! The command sends a task and a bundle's files; the worker loads them with the code that a sidecar
//! loads them with, on a stack of the same size and within the same limits, and sends an answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve_core::policy::cases::{self, BundleFiles, CaseResult, Filter, bundles};
use portreeve_core::policy::compare::{Matrix, Outline, Samples, matrix, outline};
use portreeve_core::policy::{
    Bundle, Coverage, Files, Findings, PolicyWay, Revision, UnboundedBuiltins, check_tests, decide,
    measure_coverage,
};
use portreeve_core::request::{AccessRequest, DocumentError};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::eval;
use crate::commands::Format;
use crate::loader::{Counts, Failure, Guard, Passed, guarded, load_and_try, serve_guarded};

/// How a task is done: [`in_worker`], but for tests.
pub(in crate::commands) type Run = fn(&Task, &Files, Guard) -> Result<Answer, Failure>;

/// What is to be done with the files of one bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::commands) enum Task {
    Check,
    Test {
        pattern: Option<String>,
    },
    /// What the tests reach, apart from what they say.
    Coverage {
        pattern: Option<String>,
    },
    Eval {
        root: PathBuf,
        asked: Asked,
        format: Format,
    },
    /// List what the bundle says.
    Outline,
    /// Find peers and requests in the files, whether they load or not.
    Derive,
    Matrix(Samples),
}

/// A request, in either of its forms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::commands) enum Asked {
    Document(Value),
    Described(Value),
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::commands) enum Answer {
    Loads { digest: String, counts: Counts, ways: Vec<PolicyWay>, findings: Findings },
    DoesNotLoad { digest: String, findings: Findings },
    Tested(Vec<CaseResult>),
    Covered(Result<Coverage, String>),
    Decided { is_allowed: bool, text: String },
    Outlined(Box<Outline>),
    Derived(Samples),
    Matrix(Box<Matrix>),
}

/// One bundle of a folder and what stands before its paths: the folder as it was named, and the
/// bundle's place in it.
#[derive(Debug)]
pub(super) struct Rooted {
    pub(super) root: PathBuf,
    pub(super) files: Files,
}

/// Splits a folder into its bundles.
pub(super) fn rooted(files: &Files, folder: &Path) -> Result<Vec<Rooted>, Findings> {
    let root = |prefix: &str| match prefix.trim_end_matches('/') {
        "" => folder.to_owned(),
        place => folder.join(place),
    };
    let bundle = |BundleFiles { prefix, files }| Rooted { root: root(&prefix), files };
    Ok(bundles(files)?.into_iter().map(bundle).collect())
}

/// Does a task in a worker.
///
/// # Errors
/// The worker died of the files; see [`Failure`].
pub(in crate::commands) fn in_worker(
    task: &Task,
    files: &Files,
    guard: Guard,
) -> Result<Answer, Failure> {
    guarded(task, files, guard)
}

/// The worker's whole life.
///
/// # Errors
/// It is not started by a command of ours, or panicked.
pub(in crate::commands) fn serve() -> anyhow::Result<()> {
    Ok(serve_guarded(|task: Task, files: Files| here(task, &files))?)
}

/// Does a task on this thread: in the worker, and for what comes with the program itself.
pub(in crate::commands) fn here(task: Task, files: &Files) -> Answer {
    let digest = files.digest();
    let revision = Revision { digest: digest.as_str().into(), ..Revision::default() };
    if matches!(task, Task::Check) {
        return match load_and_try(files, revision, UnboundedBuiltins::Refuse) {
            Ok(Passed { counts, ways, mut findings }) => {
                check_tests(files, &mut findings);
                Answer::Loads { digest, counts, ways, findings }
            }
            Err(mut findings) => {
                check_tests(files, &mut findings);
                Answer::DoesNotLoad { digest, findings }
            }
        };
    }
    if matches!(task, Task::Derive) {
        return Answer::Derived(Samples::derive(files));
    }
    let bundle = match Bundle::load(files, revision) {
        Ok((bundle, _)) => bundle,
        Err(findings) => return Answer::DoesNotLoad { digest, findings },
    };
    match task {
        Task::Check | Task::Derive => Answer::DoesNotLoad { digest, findings: Findings::default() },
        Task::Outline => Answer::Outlined(Box::new(outline(&bundle, files))),
        Task::Matrix(samples) => Answer::Matrix(Box::new(matrix(&bundle, &samples))),
        Task::Test { pattern } => match Filter::new(pattern.as_deref()) {
            Ok(filter) => {
                let run = cases::Run { filter: &filter, clock: Some(elapsed) };
                Answer::Tested(cases::run(files, &bundle, &run))
            }
            Err(error) => refused(digest, &error),
        },
        Task::Coverage { pattern } => match Filter::new(pattern.as_deref()) {
            Ok(filter) => {
                let is_selected = |name: &str| filter.selects(name);
                Answer::Covered(measure_coverage(files, &bundle, &is_selected))
            }
            Err(error) => refused(digest, &error),
        },
        Task::Eval { root, asked, format } => match asked.request() {
            Ok(request) => {
                eval::answer(&mut decide(&bundle, &request), &request, &root, &digest, format)
            }
            Err(error) => refused(digest, &error),
        },
    }
}

/// The command has looked at what it asks before it asked.
fn refused(digest: String, error: &dyn std::error::Error) -> Answer {
    let mut findings = Findings::default();
    findings.error("", 0, 0, error.to_string());
    Answer::DoesNotLoad { digest, findings }
}

/// Since the machine was started.
fn elapsed() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

impl Asked {
    /// The request that is meant.
    ///
    /// # Errors
    /// It does not fit the schema of the input document.
    pub(super) fn request(&self) -> Result<AccessRequest, DocumentError> {
        match self {
            Self::Document(document) => AccessRequest::from_document(document),
            Self::Described(description) => AccessRequest::described(description),
        }
    }
}
