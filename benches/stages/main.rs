//! One stage of a request, over and over, for callgrind.
//!
//! `stages STAGE N` prepares and then repeats the stage N times; what one costs is the difference of
//! two lengths, divided by theirs: `benches/run` does that. The request is that of `benches/load`,
//! with three headers or the twelve of a browser; a stage begins where the one before it ended.

mod request;

use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use portreeve::audit::{self, Durability, Log, OnFailure, Target};
use portreeve::clock::Clock;
use portreeve_core::policy::{Bundle, Files, Outcome, Revision, decide};
use portreeve_core::record::Scratch;
use portreeve_core::request::{Head, Scheme};
use request::Scene;

/// Under callgrind the first decisions can take longer than the engine allows.
const FIRST_TRIES: usize = 20;

#[derive(Debug, clap::Parser)]
struct Args {
    stage: Stage,
    count: u32,
    /// The twelve headers of a browser in place of three.
    #[arg(long)]
    browser: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Stage {
    /// Only the copy that `head` begins with.
    Copy,
    /// Copy, canonical head, route, facts.
    Head,
    /// Only the copy of a page request: a query, and the twenty headers of a browser.
    CopyPage,
    /// Copy of a page request and canonical head, nothing else.
    CanonicalPage,
    /// Decide under three or fifty policies, of which the one before the last few allows.
    Cedar3,
    Cedar50,
    Rego3,
    Rego50,
    /// Decide by a Rego bundle that is one constant: the input document and the engine's own cost.
    RegoConstant,
    /// Format the record.
    Format,
    /// Format it and append it to a file.
    Record,
    /// Decide under three Cedar policies, format, append.
    DecideRecord,
}

fn main() -> anyhow::Result<()> {
    // `cargo bench` runs every bench with this one argument.
    if std::env::args().skip(1).eq(["--bench".to_owned()]) {
        return Ok(writeln!(std::io::stdout(), "started by `benches/run`")?);
    }
    let Args { stage, count, browser } = Args::parse();
    let scene = Scene::new(browser)?;
    match stage {
        Stage::Copy => repeat(count, || black_box(scene.parts())),
        Stage::Head => repeat(count, || scene.access()),
        Stage::CopyPage | Stage::CanonicalPage => canonical(stage, count)?,
        Stage::Cedar3 => deciding(&scene, "cedar-3", count)?,
        Stage::Cedar50 => deciding(&scene, "cedar-50", count)?,
        Stage::Rego3 => deciding(&scene, "rego-3", count)?,
        Stage::Rego50 => deciding(&scene, "rego-50", count)?,
        Stage::RegoConstant => deciding(&scene, "rego-constant", count)?,
        Stage::Format => format(&scene, count)?,
        Stage::Record => record(&scene, count, false)?,
        Stage::DecideRecord => record(&scene, count, true)?,
    }
    Ok(())
}

fn repeat<T>(count: u32, mut stage: impl FnMut() -> T) {
    for _ in 0..count {
        black_box(stage());
    }
}

/// The copy belongs to the canonical stage too, so that the difference of both is the head alone.
fn canonical(stage: Stage, count: u32) -> anyhow::Result<()> {
    let page = request::page()?;
    let mut is_canonical = true;
    repeat(count, || {
        let copy = black_box(page.clone());
        match stage {
            Stage::CanonicalPage => {
                let head = black_box(Head::canonical(copy, Scheme::Https));
                is_canonical &= head.is_ok();
            }
            _ => drop(copy),
        }
    });
    anyhow::ensure!(is_canonical, "the page request has no canonical form");
    Ok(())
}

fn deciding(scene: &Scene, bundle: &str, count: u32) -> anyhow::Result<()> {
    let bundle = load(bundle)?;
    let access = scene.access()?;
    let mut decision = decide(&bundle, &access);
    for _ in 0..FIRST_TRIES {
        if decision.outcome != Outcome::Allow {
            decision = decide(&bundle, &access);
        }
    }
    let mut is_allowed = true;
    repeat(count, || {
        decision = decide(&bundle, black_box(&access));
        is_allowed &= decision.outcome == Outcome::Allow;
    });
    anyhow::ensure!(is_allowed, "{decision:?}");
    Ok(())
}

fn format(scene: &Scene, count: u32) -> anyhow::Result<()> {
    let bundle = load("cedar-3")?;
    let access = scene.access()?;
    let decision = decide(&bundle, &access);
    let instance = audit::this_instance(Arc::from("orders")).fragment();
    let id = audit::decision_id(access.time);
    let mut scratch = Scratch::default();
    repeat(count, || {
        let line = scratch.decision(&instance, &id, &access, (&decision).into(), &bundle.revision);
        line.stamp(1_234_567).len()
    });
    Ok(())
}

fn record(scene: &Scene, count: u32, decides: bool) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let settings = audit::Settings {
        target: Target::Dir(folder.path().to_owned()),
        durability: Durability::Written,
        on_failure: OnFailure::Deny,
        end_records: false,
        rotate_bytes: 1 << 30,
        keep_files: None,
    };
    let log = Log::open(&settings, audit::this_instance("orders".into()), Clock::system())?;
    let bundle = load("cedar-3")?;
    let access = scene.access()?;
    let mut decision = decide(&bundle, &access);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        for _ in 0..count {
            let id = audit::decision_id(access.time);
            if decides {
                decision = decide(&bundle, black_box(&access));
            }
            let recorded = log.decision(&id, &access, &decision, &bundle.revision).await?;
            let _ = black_box(recorded);
        }
        log.close().await;
        Ok(())
    })
}

/// A bundle of `benches/data`.
fn load(name: &str) -> anyhow::Result<Bundle> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/data").join(name);
    let mut files = Files::default();
    for entry in folder.read_dir().with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let file = path.file_name().and_then(|file| file.to_str()).context("a file's name")?;
        files.insert(file, std::fs::read(&path)?)?;
    }
    let revision = Revision {
        repository: "https://git.bench.test/policy.git".into(),
        reference: "main".into(),
        commit: "0123456789abcdef0123456789abcdef01234567".into(),
        digest: format!("sha256:{}", "0123456789abcdef".repeat(4)).into(),
        signer: None,
    };
    let (bundle, _) =
        Bundle::load(&files, revision).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    Ok(bundle)
}
