//! The bundles of a folder, loaded and used on a thread whose stack foreign policy cannot exhaust
//! easily.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use portreeve_core::policy::cases::{BundleFiles, bundles};
use portreeve_core::policy::{Bundle, Files, Findings, Revision};

/// Parsers of both languages recurse once per level of nesting; the load-time checks bound the
/// levels, and this holds all that they let through.
const STACK_BYTES: usize = 64 << 20;

/// One bundle of a folder and what loading it said.
pub(super) struct Loaded {
    /// Stands before the bundle's paths: the folder as it was named, and the bundle's place in it.
    pub(super) root: PathBuf,
    pub(super) files: Files,
    pub(super) digest: String,
    pub(super) bundle: Option<Bundle>,
    /// Errors where there is no bundle, warnings otherwise.
    pub(super) findings: Findings,
}

/// Runs `work` on a thread with a large stack and gives back what it returns.
pub(crate) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("policy".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .context("failed to start the policy thread")?;
        thread.join().map_err(|_| anyhow::anyhow!("the policy engine panicked"))
    })
}

/// Loads every bundle of a folder; to be called on a large stack.
pub(super) fn load_all(files: &Files, folder: &Path) -> Result<Vec<Loaded>, Findings> {
    Ok(bundles(files)?.into_iter().map(|bundle| load(bundle, folder)).collect())
}

fn load(bundle: BundleFiles, folder: &Path) -> Loaded {
    let BundleFiles { prefix, files } = bundle;
    let root = match prefix.trim_end_matches('/') {
        "" => folder.to_owned(),
        place => folder.join(place),
    };
    let digest = files.digest();
    let revision = Revision {
        repository: root.display().to_string().into(),
        digest: digest.as_str().into(),
        ..Revision::default()
    };
    let (bundle, findings) = match Bundle::load(&files, revision) {
        Ok((bundle, findings)) => (Some(bundle), findings),
        Err(findings) => (None, findings),
    };
    Loaded { root, files, digest, bundle, findings }
}
