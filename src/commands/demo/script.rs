//! `--script`: makes the five calls through a shell, shows what came back and judges it.

use std::io::{self, Write};
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

use super::calls::{Call, Calls};
use super::folder::FOREIGN_GIT;
use super::judge::{self, DECIDES_WITHIN, Decision, Ran, Verdict};
use super::page;
use super::world::{LOOK, World};
use crate::audit;
use crate::commands::Exit;

/// How the calls were judged so far.
struct Script<'a> {
    world: &'a World,
    passed: usize,
    failed: usize,
}

pub(super) async fn run(world: &World, program: &str) -> anyhow::Result<Exit> {
    let calls = world.calls(program);
    page::print_facts(&mut io::stdout().lock(), &world.facts())?;
    let mut script = Script { world, passed: 0, failed: 0 };

    let first = make_one(Some(1), &calls.allowed).await?;
    script.judged(&judge::allowed(&first, world.service.served()))?;
    let second = make_one(Some(2), &calls.denied).await?;
    script.judged(&judge::denied(&second, world.service.served()))?;
    let explained = make_one(Some(3), &calls.explain).await?;
    let before = world.first_commit.as_str();
    script.judged(&judge::explained(&explained, &second.answer(), before))?;

    let (third, after) = script.change(&calls).await?;

    let tail = make_one(Some(5), &calls.log).await?;
    let text = std::fs::read_to_string(world.folder.policies().join(world.language.file()))?;
    let place = |part| format!("{}:{}", world.language.file(), judge::line_of_policy(&text, part));
    let decision = |ran: &Ran, outcome: &str, places: Vec<String>, commit: &str| Decision {
        id: ran.answer().id,
        outcome: outcome.to_owned(),
        places,
        commit: commit.to_owned(),
    };
    let expected = [
        decision(&first, "allow", vec![place(world.language.reads_orders())], before),
        decision(&second, "deny", Vec::new(), before),
        decision(&third, "allow", vec![place(world.language.edited())], &after),
    ];
    let decisions = script.decisions()?;
    script.judged(&judge::logged(&tail, &decisions, &expected, world.service.served()))?;

    let Script { passed, failed, .. } = script;
    writeln!(io::stdout().lock(), "\n{passed} passed, {failed} failed")?;
    Ok(if failed == 0 { Exit::Good } else { Exit::No })
}

impl Script<'_> {
    /// Edit, commit, and the call as soon as the commit decides; gives that call and the commit.
    async fn change(&mut self, calls: &Calls) -> anyhow::Result<(Ran, String)> {
        let changed = make(Some(4), &calls.change).await?;
        let committed = Instant::now();
        let head = self.world.folder.head()?;
        let decides = || {
            let active = self.world.sidecar.store().active();
            active.is_some_and(|bundle| *bundle.revision.commit == *head)
        };
        while !decides() && committed.elapsed() < DECIDES_WITHIN {
            tokio::time::sleep(LOOK).await;
        }
        let call = make_one(None, &calls.again).await?;
        let commits = [self.world.first_commit.as_str(), head.as_str()];
        self.judged(&judge::changed(&changed, &call, commits, committed.elapsed()))?;
        Ok((call, head))
    }

    fn judged(&mut self, verdicts: &[Verdict]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out)?;
        for Verdict { passed, text } in verdicts {
            let (word, count) = match passed {
                true => ("ok    ", &mut self.passed),
                false => ("FAILED", &mut self.failed),
            };
            *count += 1;
            writeln!(out, "{}", page::indented(&format!("{word} {text}")))?;
        }
        out.flush()
    }

    /// Every decision in the log, in its order.
    fn decisions(&self) -> anyhow::Result<Vec<Decision>> {
        let mut decisions = Vec::new();
        for line in audit::read(&self.world.folder.log())? {
            let record: Value = serde_json::from_slice(&line?)?;
            if record.get("kind").and_then(Value::as_str) == Some("decision") {
                decisions.push(Decision::read(&record));
            }
        }
        Ok(decisions)
    }
}

/// Makes a call of one command.
async fn make_one(number: Option<usize>, call: &Call) -> anyhow::Result<Ran> {
    Ok(make(number, call).await?.pop().unwrap_or_default())
}

/// Runs the commands of a call one after the other.
async fn make(number: Option<usize>, call: &Call) -> anyhow::Result<Vec<Ran>> {
    writeln!(io::stdout().lock(), "\n{}", page::heading(number, call.title))?;
    let mut ran = Vec::new();
    for command in &call.commands {
        ran.push(run_one(command).await?);
    }
    Ok(ran)
}

/// Runs a command as a person's shell would, and shows it with what came back.
async fn run_one(text: &str) -> anyhow::Result<Ran> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(text).stdin(Stdio::null()).kill_on_drop(true);
    // What would make it another command than the one that is shown.
    let ours = |name: &str| name.starts_with("PORTREEVE_") || FOREIGN_GIT.contains(&name);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    writeln!(io::stdout().lock(), "\n{}", page::indented(&format!("$ {text}")))?;
    let output = command.output().await.context("failed to run `sh`")?;
    let ran = Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    let mut out = io::stdout().lock();
    for shown in [&ran.out, &ran.err].into_iter().filter(|text| !text.is_empty()) {
        writeln!(out, "{}", page::indented(shown))?;
    }
    out.flush()?;
    Ok(ran)
}
