//! Suite `evaluation`: bundles decide inputs that are made from what their policies mention, in every
//! way in which a sidecar decides, and each verdict is held against the policy's meaning.

use std::io::{self, Write};
use std::path::Path;
use std::thread;

use anyhow::{Context as _, anyhow, bail, ensure};
use portreeve_core::policy::cases::{CaseOutcome, CaseResult};
use portreeve_core::policy::differential::{Difference, Evidence, cases, reference};
use portreeve_core::policy::{Files, FilesError};

use super::embedded;
use crate::commands::policy::read;
use crate::commands::policy::report::printable;
use crate::commands::policy::work::{self, Answer, Rooted, Task};
use crate::commands::shipped;
use crate::loader::{Guard, SERVING_STACK_BYTES};

/// In all, spread over the bundles; what a test run has time for in a debug build.
const INPUTS: u64 = 2_000;
const SEED: u64 = 1;
/// For the slowest bundle that loads: its meaning evaluates 20,000 rules twice an input.
const SECONDS_PER_INPUT: u64 = 1;
const MAX_SECONDS: u64 = 4 * 60 * 60;

/// How much is tried.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Options {
    /// Only for `evaluation`: how many inputs are tried in all [default: 2000]
    #[arg(long, value_name = "N", requires = "suite",
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    inputs: Option<u64>,
    /// Only for `evaluation`: makes other inputs [default: 1]
    #[arg(long, value_name = "N", requires = "suite")]
    seed: Option<u64>,
}

impl Options {
    /// Whether one was given.
    pub(super) fn is_some(self) -> bool {
        self.inputs.is_some() || self.seed.is_some()
    }
}

/// A bundle and how large a share of the inputs it takes.
struct Subject {
    file: String,
    line: u32,
    name: String,
    files: Files,
    weight: u64,
}

/// What became of one bundle.
pub(super) struct Tried {
    file: String,
    line: u32,
    name: String,
    pub(super) evidence: Result<Evidence, String>,
}

impl Tried {
    #[cfg(test)]
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Tries the bundles under `cases`, or those that come with the program.
///
/// # Errors
/// The folder cannot be read, or holds no bundle; a worker cannot be started.
pub(super) fn run(cases: Option<&Path>, options: Options) -> anyhow::Result<Vec<Tried>> {
    let subjects = match cases {
        Some(folder) => foreign(folder)?,
        None => embedded_subjects()?,
    };
    let whole: u64 = subjects.iter().map(|subject| subject.weight).sum();
    let (inputs, seed) = (options.inputs.unwrap_or(INPUTS), options.seed.unwrap_or(SEED));
    let task = |weight: u64| {
        let share = inputs.saturating_mul(weight).checked_div(whole).unwrap_or(0).max(1);
        Task::Compare { seed, inputs: usize::try_from(share).unwrap_or(usize::MAX) }
    };
    let is_foreign = cases.is_some();
    let each = |subject: Subject| {
        let answer = match (task(subject.weight), is_foreign) {
            (task, true) => in_worker(&task, &subject.files)?,
            // What comes with the program is not foreign.
            (task, false) => on_serving_stack(task, &subject.files)?,
        };
        let evidence = match answer {
            Ok(Answer::Compared(evidence)) => Ok(*evidence),
            Ok(Answer::DoesNotLoad { findings, .. }) => {
                Err(format!("the bundle does not load\n{findings}"))
            }
            Ok(_) => bail!("the answer is to another task"),
            Err(message) => Err(message),
        };
        let Subject { file, line, name, .. } = subject;
        Ok(Tried { file, line, name, evidence })
    };
    subjects.into_iter().map(each).collect()
}

/// A bundle that ends its worker is what the inner error tells.
fn in_worker(task: &Task, files: &Files) -> anyhow::Result<Result<Answer, String>> {
    let Task::Compare { inputs, .. } = task else { bail!("the task is another") };
    let seconds = u64::try_from(*inputs).unwrap_or(u64::MAX).saturating_mul(SECONDS_PER_INPUT);
    let guard = Guard { seconds: seconds.clamp(60, MAX_SECONDS), ..Guard::default() };
    match work::in_worker(task, files, guard) {
        Ok(answer) => Ok(Ok(answer)),
        Err(failure) if failure.is_by_policy() => {
            Ok(Err(failure.finding("the comparison").message))
        }
        Err(failure) => Err(failure).context("failed to compare in a worker"),
    }
}

fn on_serving_stack(task: Task, files: &Files) -> anyhow::Result<Result<Answer, String>> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(SERVING_STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || work::here(task, files));
        let thread = thread.context("failed to start a thread")?;
        Ok(Ok(thread.join().map_err(|_| anyhow!("the comparison panicked"))?))
    })
}

fn foreign(folder: &Path) -> anyhow::Result<Vec<Subject>> {
    let files = read::files_of(folder)?;
    let bundles = work::rooted(&files, folder).map_err(|findings| anyhow!("{findings}"))?;
    ensure!(!bundles.is_empty(), "there is no bundle in `{}`", folder.display());
    let subject = |Rooted { root, files }: Rooted| {
        let root = root.display().to_string();
        Subject { file: root.clone(), line: 0, name: root, files, weight: 1 }
    };
    Ok(bundles.into_iter().map(subject).collect())
}

/// The shipped policies, the reference policies, the typical ones and the small ones.
fn embedded_subjects() -> anyhow::Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    let mut add = |folder: &str, name: &str, files: Files, weight: u64| {
        let (file, name) = (folder.to_owned(), name.to_owned());
        subjects.push(Subject { file, line: 0, name, files, weight });
    };
    for name in ["rego", "rego-envoy", "cedar"] {
        add(&format!("policies/{name}"), name, files_of(shipped::bundle(name))?, 16);
    }
    add("policies", "rego and cedar", both_languages()?, 16);
    let with_data = |mut files: Files, text: Option<String>| {
        text.map(|text| files.insert("authz.rego", text.into_bytes())).transpose()?;
        files.insert("data.json", reference::data(1_000).into_bytes())?;
        Ok::<_, FilesError>(files)
    };
    for (name, files, text) in [
        ("plain 50", Files::default(), Some(reference::plain(50))),
        ("mixed 50", Files::default(), Some(reference::mixed(50))),
        ("mixed 50 in files", reference::split(50, 8)?, None),
        ("mixed 200 in files", reference::split(200, 40)?, None),
        ("plain 300", Files::default(), Some(reference::plain(300))),
    ] {
        add("reference", name, with_data(files, text)?, 16);
    }
    const TYPICAL: &str = "conformance/evaluation/typical/";
    const DATA: &str = "conformance/evaluation/typical/data.json";
    let of_typical = |path: &str| embedded::EVALUATION.iter().find(|(name, _)| *name == path);
    let data = of_typical(DATA).map_or("{}", |(_, text)| *text);
    for (path, text) in embedded::EVALUATION {
        if let Some(name) = path.strip_prefix(TYPICAL).and_then(|n| n.strip_suffix(".rego")) {
            let files = [("authz.rego", *text), ("data.json", data)];
            add(path, &format!("typical/{name}"), files_of(files)?, 6);
        }
    }
    for (path, text) in embedded::EVALUATION.iter().filter(|(path, _)| path.ends_with(".txt")) {
        let folder = path.rsplit_once('/').map_or(*path, |(_, file)| file.trim_end_matches(".txt"));
        let small = cases(text).with_context(|| format!("`{path}` holds no cases"))?;
        subjects.extend(small.into_iter().map(|case| Subject {
            file: (*path).to_owned(),
            line: case.line,
            name: format!("{folder}/{}", case.name),
            files: case.files,
            weight: 1,
        }));
    }
    Ok(subjects)
}

fn files_of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Files, FilesError> {
    let mut files = Files::default();
    for (path, content) in pairs {
        files.insert(path, content.as_bytes().to_vec())?;
    }
    Ok(files)
}

/// The shipped policies of both languages as one bundle.
fn both_languages() -> Result<Files, FilesError> {
    const MANIFEST: (&str, &str) =
        (".manifest", r#"{"metadata": {"portreeve": {"entrypoint": "data.authz.orders"}}}"#);
    let pairs = shipped::bundle("rego").chain(shipped::bundle("cedar"));
    let is_shared = |path: &str| path == MANIFEST.0 || path.ends_with("_test.yaml");
    files_of(pairs.filter(|(path, _)| !is_shared(path)).chain([MANIFEST]))
}

/// One line a bundle.
pub(super) fn print(out: &mut impl Write, tried: &[Tried]) -> io::Result<()> {
    let mut all = Evidence::default();
    for Tried { name, evidence, .. } in tried {
        match evidence {
            Ok(evidence) => {
                writeln!(out, "{}: {evidence}", printable(name))?;
                all.join(evidence.clone());
            }
            Err(_) => writeln!(out, "{}: not compared", printable(name))?,
        }
    }
    writeln!(out, "in all: {all}")
}

pub(super) fn results(tried: Vec<Tried>) -> Vec<CaseResult> {
    let result = |Tried { file, line, name, evidence }| {
        let outcome = match evidence {
            Ok(evidence) => outcome(&evidence),
            Err(message) => CaseOutcome::errored(message),
        };
        CaseResult::new(&file, line, name, outcome)
    };
    tried.into_iter().map(result).collect()
}

fn outcome(evidence: &Evidence) -> CaseOutcome {
    let Some(first) = evidence.differences.first() else {
        return match evidence.compared {
            0 => CaseOutcome::errored("no verdict was compared"),
            _ => CaseOutcome::Passed,
        };
    };
    let Difference { number, way, input, meaning, seen } = first;
    let (seed, more) = (evidence.seed, evidence.differing.saturating_sub(1));
    CaseOutcome::Failed {
        expected: meaning.clone(),
        actual: seen.clone(),
        detail: Some(format!(
            "by {way}, input {number} of seed {seed}, {more} more differ: {input}"
        )),
    }
}
