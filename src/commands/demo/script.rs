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

/// The calls that have been made, and how they were judged.
struct Script<'a> {
    world: &'a World,
    calls: usize,
    passed: usize,
    failed: usize,
}

pub(super) async fn run(world: &World, program: &str) -> anyhow::Result<Exit> {
    let Calls { allowed, denied, explain, change, log } = world.calls(program);
    page::print_facts(&mut io::stdout().lock(), &world.facts())?;
    let mut script = Script { world, calls: 0, passed: 0, failed: 0 };

    let first = script.make_one(&allowed).await?;
    script.judged(&judge::allowed(&first, world.service.served()))?;
    let second = script.make_one(&denied).await?;
    script.judged(&judge::denied(&second, world.service.served()))?;
    let explained = script.make_one(&explain).await?;
    let before = world.first_commit.as_str();
    script.judged(&judge::explained(&explained, &second.answer(), before))?;

    let (third, after) = script.change(&change).await?;

    let tail = script.make_one(&log).await?;
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
    async fn change(&mut self, change: &Call) -> anyhow::Result<(Ran, String)> {
        let [edit, commit, call] = change.commands.as_slice() else {
            anyhow::bail!("a change is three commands");
        };
        self.begin(change)?;
        let edit = run_one(edit).await?;
        let commit = run_one(commit).await?;
        let committed = Instant::now();
        let head = self.world.folder.head()?;
        let decides = || {
            let active = self.world.sidecar.store().active();
            active.is_some_and(|bundle| *bundle.revision.commit == *head)
        };
        while !decides() && committed.elapsed() < DECIDES_WITHIN {
            tokio::time::sleep(LOOK).await;
        }
        let ran = [edit, commit, run_one(call).await?];
        let commits = [self.world.first_commit.as_str(), head.as_str()];
        self.judged(&judge::changed(&ran, commits, committed.elapsed()))?;
        let [_, _, call] = ran;
        Ok((call, head))
    }

    async fn make_one(&mut self, call: &Call) -> anyhow::Result<Ran> {
        self.begin(call)?;
        let mut ran = Ran::default();
        for command in &call.commands {
            ran = run_one(command).await?;
        }
        Ok(ran)
    }

    fn begin(&mut self, call: &Call) -> io::Result<()> {
        self.calls += 1;
        writeln!(io::stdout().lock(), "\n  {}. {}.", self.calls, call.title)
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
