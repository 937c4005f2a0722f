//! `portreeve policy fmt`: policy files as they should be written.

mod diff;
mod files;
#[cfg(test)]
mod tests;

use std::io::{Read as _, Write, stdin, stdout};
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use portreeve_core::policy::format::is_formatted;
use portreeve_core::policy::{Files, FilesError, Finding, Findings};

use super::report::{place, printable};
use super::work::{Answer, Task, in_worker};
use crate::commands::Exit;
use crate::loader::{Failure, Guard};
use files::Source;

const GUARD_SECONDS: u64 = 60;
/// More than the largest file that a bundle may hold.
const MAX_STDIN_BYTES: u64 = (16 << 20) + 1;

/// Write policy files as they should be written.
///
/// Reads `*.rego` and `*.cedar` files and writes those that change in place, each whole or not at
/// all. Rego is written as `opa fmt` writes it, Cedar as `cedar format` does with its own widths.
/// Only lines, blanks and the order of imports change: what a file says and its comments stay, and a
/// file of which that cannot be shown is named and left alone. Data and tests in JSON and YAML are
/// left alone, too.
///
/// A folder is searched for files, but for hidden ones and links. `-` formats standard input to
/// standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::commands) struct Args {
    /// Files, or folders of files; `-` is standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Write nothing; name the files that would change
    #[arg(long)]
    check: bool,
    /// Write nothing; print what would change
    #[arg(long)]
    diff: bool,
    /// What standard input would be called as a file: its ending names the language
    #[arg(long, value_name = "NAME", default_value = "stdin.rego")]
    stdin_name: String,
}

const AFTER_HELP: &str = "\
Exit code: 0 all is as it should be written, or is now; 1 with --check a file would change, or a
           file cannot be formatted (the others still are); 2 a file cannot be read or written

Examples:
  portreeve policy fmt policies/
  portreeve policy fmt --check --diff policies/   # in CI: what would change, and exit code 1
  portreeve policy fmt --stdin-name orders.cedar - < orders.cedar";

/// The file as it should be written, or why it is left alone.
pub(in crate::commands) type Formatted = Result<String, Findings>;

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let guard = Guard { seconds: GUARD_SECONDS, ..Guard::default() };
    let format = |files: &Files| in_worker(&Task::Format, files, guard);
    let out = &mut stdout().lock();
    if args.paths.iter().any(|path| path.as_os_str() == "-") {
        ensure!(args.paths.len() == 1, "`-` is formatted alone");
        return of_stdin(out, args, &format);
    }
    report(out, args, files::find(&args.paths)?, &format)
}

/// Formats the files of a batch; the answers stand in their order.
fn formatted(
    batch: &[Source],
    format: &impl Fn(&Files) -> Result<Answer, Failure>,
) -> anyhow::Result<Vec<Formatted>> {
    let mut done: Vec<Option<Formatted>> = batch.iter().map(too_large).collect();
    // A file that ends the worker is left out, and the others are asked for again.
    while done.iter().any(Option::is_none) {
        let mut files = Files::default();
        for (index, source) in batch.iter().enumerate() {
            if done.get(index).is_some_and(Option::is_none) {
                files.insert(&key(index, source), source.content.clone())?;
            }
        }
        match format(&files) {
            Ok(Answer::Formatted(answers)) => {
                for (key, answer) in answers {
                    set(&mut done, &key, answer)?;
                }
                ensure!(done.iter().all(Option::is_some), "the worker left a file out");
            }
            Ok(_) => bail!("the answer is to another task"),
            Err(failure) if failure.is_by_policy() => {
                let finding = failure.finding("formatting");
                let key = finding.file.clone();
                set(&mut done, &key, Err(Findings(vec![finding])))?;
            }
            Err(failure) => return Err(failure).context("failed to format in a worker"),
        }
    }
    Ok(done.into_iter().flatten().collect())
}

/// The finding about a file that no bundle may hold: it does not keep the others from a worker.
fn too_large(source: &Source) -> Option<Formatted> {
    let refused = Files::default().check(&key(0, source), source.content.len());
    let Err(FilesError::FileBytes(_)) = refused else { return None };
    let name = source.path.display().to_string();
    let mut findings = Findings::default();
    findings.error(&name, 0, 0, FilesError::FileBytes(name.clone()).to_string());
    Some(Err(findings))
}

/// What a worker calls a file: paths of this machine are none of its business.
fn key(index: usize, source: &Source) -> String {
    let ending = source.path.extension().unwrap_or_default().to_string_lossy();
    format!("{index}.{ending}")
}

fn set(done: &mut [Option<Formatted>], key: &str, answer: Formatted) -> anyhow::Result<()> {
    let index = key.split('.').next().and_then(|index| index.parse::<usize>().ok());
    let place = index.and_then(|index| done.get_mut(index)).filter(|place| place.is_none());
    *place.context("the worker died before it named a file")? = Some(answer);
    Ok(())
}

/// What became of a file.
enum End {
    Same,
    Changed,
    Refused,
}

fn report(
    out: &mut impl Write,
    args: &Args,
    paths: Vec<PathBuf>,
    format: &impl Fn(&Files) -> Result<Answer, Failure>,
) -> anyhow::Result<Exit> {
    let (mut same, mut changed, mut refused) = (0_usize, 0_usize, 0_usize);
    let mut paths = paths.into_iter();
    while let Some(batch) = files::next_batch(&mut paths)? {
        for (source, answer) in batch.iter().zip(formatted(&batch, format)?) {
            match finish(out, args, source, answer)? {
                End::Same => same += 1,
                End::Changed => changed += 1,
                End::Refused => refused += 1,
            }
        }
    }
    let only_looks = args.check || args.diff;
    let verb = if only_looks { "would change" } else { "formatted" };
    let refusals = match refused {
        0 => String::new(),
        count => format!(", {count} left alone with an error"),
    };
    // A diff is for a program, too: people read the sentence beside it.
    writeln!(std::io::stderr(), "{changed} {verb}, {same} as they should be{refusals}")?;
    if args.check && changed > 0 {
        writeln!(std::io::stderr(), "format them with `portreeve policy fmt`")?;
    }
    Ok(exit(refused > 0 || (args.check && changed > 0)))
}

/// Tells of one file and, unless the command only looks, writes it.
fn finish(
    out: &mut impl Write,
    args: &Args,
    source: &Source,
    answer: Formatted,
) -> anyhow::Result<End> {
    let name = source.path.display().to_string();
    let text = match answer {
        Ok(text) if text.as_bytes() == source.content => return Ok(End::Same),
        Ok(text) => text,
        Err(findings) => {
            print_findings(out, &name, &findings)?;
            return Ok(End::Refused);
        }
    };
    if args.diff {
        let before = String::from_utf8_lossy(&source.content);
        write!(out, "{}", diff::unified(&printable(&name), &before, &text))?;
    } else {
        writeln!(out, "{}", printable(&name))?;
    }
    if !(args.check || args.diff) {
        files::write(source, &text)?;
    }
    Ok(End::Changed)
}

fn print_findings(out: &mut impl Write, name: &str, findings: &Findings) -> anyhow::Result<()> {
    for Finding { line, column, message, hint, .. } in &findings.0 {
        let column = if *column > 0 { format!(":{column}") } else { String::new() };
        writeln!(out, "{}{column}: error: {}", place(name, *line), printable(message))?;
        if let Some(hint) = hint {
            writeln!(out, "  hint: {}", printable(hint))?;
        }
    }
    Ok(())
}

/// Formats standard input; where that cannot be done nothing is written, so that an editor keeps
/// what it has.
fn of_stdin(
    out: &mut impl Write,
    args: &Args,
    format: &impl Fn(&Files) -> Result<Answer, Failure>,
) -> anyhow::Result<Exit> {
    let name = &args.stdin_name;
    ensure!(is_formatted(name), "`{name}` ends neither in `.rego` nor in `.cedar`");
    let mut content = Vec::new();
    let read = stdin().lock().take(MAX_STDIN_BYTES).read_to_end(&mut content);
    read.context("failed to read standard input")?;
    let source = Source { path: name.into(), content };
    let answer = formatted(std::slice::from_ref(&source), format)?.pop();
    match answer.context("standard input was not formatted")? {
        Err(findings) => {
            print_findings(&mut std::io::stderr(), name, &findings)?;
            Ok(Exit::No)
        }
        Ok(text) if args.diff => {
            let before = String::from_utf8_lossy(&source.content);
            write!(out, "{}", diff::unified(&printable(name), &before, &text))?;
            Ok(exit(args.check && text.as_bytes() != source.content))
        }
        Ok(text) if args.check => Ok(exit(text.as_bytes() != source.content)),
        Ok(text) => {
            out.write_all(text.as_bytes())?;
            Ok(Exit::Good)
        }
    }
}

const fn exit(differs: bool) -> Exit {
    if differs { Exit::No } else { Exit::Good }
}
