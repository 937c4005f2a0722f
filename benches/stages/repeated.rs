//! The stages that are repeated within one process: the head, the record.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use portreeve::audit::{self, Durability, Log, OnFailure, Target};
use portreeve::clock::Clock;
use portreeve_core::policy::{Bundle, decide};
use portreeve_core::record::Scratch;
use portreeve_core::request::{Head, Scheme};

use super::bundle;
use super::request::{self, Scene};

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Stage {
    /// Only the copy that `head` begins with.
    Copy,
    /// Copy, canonical head, route, facts.
    Head,
    /// Only the copy of a page request: a query, and the twenty headers of a browser.
    CopyPage,
    /// Copy of a page request and canonical head, nothing else.
    CanonicalPage,
    /// Format the record.
    Format,
    /// Format it and append it to a file.
    Record,
    /// Decide under three Cedar policies, format, append.
    DecideRecord,
}

pub(crate) fn run(stage: Stage, count: u32, is_browser: bool) -> anyhow::Result<()> {
    let scene = Scene::new(is_browser)?;
    match stage {
        Stage::Copy => repeat(count, || black_box(scene.parts())),
        Stage::Head => repeat(count, || scene.access()),
        Stage::CopyPage | Stage::CanonicalPage => canonical(stage, count)?,
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

fn format(scene: &Scene, count: u32) -> anyhow::Result<()> {
    let bundle = three_policies()?;
    let access = scene.access()?;
    let decision = decide(&bundle, &access);
    let instance = audit::this_instance(Arc::from("orders")).fragment();
    let id = audit::decision_id(access.time);
    let mut scratch = Scratch::default();
    repeat(count, || {
        let line =
            scratch.decision(&instance, &id, None, &access, (&decision).into(), &bundle.revision);
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
    let bundle = three_policies()?;
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

fn three_policies() -> anyhow::Result<Bundle> {
    bundle::load(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/data/cedar-3"))
}
