//! Bundles from a folder, and what loading one takes.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use portreeve_core::policy::{Bundle, Files, Revision};

use super::say;

/// The bundle in a folder without further folders.
pub(crate) fn load(folder: &Path) -> anyhow::Result<Bundle> {
    from(&read(folder)?)
}

/// Loads a bundle in this process, which has done nothing else, and prints JSON: the time of the load
/// alone, and the largest resident size of the process, which is that of a loader's worker.
pub(crate) fn measure(folder: &Path) -> anyhow::Result<()> {
    let files = read(folder)?;
    let before = status("VmRSS:")?;
    let began = cpu_time()?;
    let bundle = from(&files)?;
    let taken = cpu_time()?.saturating_sub(began);
    let counted = bundle.languages();
    let (peak, after) = (status("VmHWM:")?, status("VmRSS:")?);
    let figures = serde_json::json!({
        "rules": counted.rego_rules + counted.cedar_policies,
        "seconds": taken.as_secs_f64(),
        "before_kib": before,
        "after_kib": after,
        "peak_kib": peak,
    });
    say(&figures.to_string())
}

fn read(folder: &Path) -> anyhow::Result<Files> {
    let mut files = Files::default();
    for entry in folder.read_dir().with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let file = path.file_name().and_then(|file| file.to_str()).context("a file's name")?;
        files.insert(file, std::fs::read(&path)?)?;
    }
    Ok(files)
}

fn from(files: &Files) -> anyhow::Result<Bundle> {
    let revision = Revision {
        repository: "https://git.bench.test/policy.git".into(),
        reference: "main".into(),
        commit: "0123456789abcdef0123456789abcdef01234567".into(),
        digest: format!("sha256:{}", "0123456789abcdef".repeat(4)).into(),
        signer: None,
    };
    let loaded = Bundle::load(files, revision);
    let (bundle, _) = loaded.map_err(|found| anyhow::anyhow!("the bundle is refused: {found}"))?;
    Ok(bundle)
}

/// KiB of memory by the kernel's name for it.
fn status(name: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// What this thread has had of a processor: on a busy machine the wall clock says something else.
fn cpu_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
