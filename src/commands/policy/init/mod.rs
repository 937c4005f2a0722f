//! `portreeve policy init`: a repository of policies to begin with.
//!
//! Its policies are the shipped examples, which the conformance suite tests and the demo serves.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::report::printable;
use crate::commands::{Exit, shipped};

const WORKFLOW: &str = include_str!("workflow.yaml");
const GITIGNORE: &str = include_str!("gitignore");
const README: &str = include_str!("README.md");

/// Begin a repository of policies.
///
/// Writes policies that load and tests that pass: callers named by SPIFFE ID, what they may do by
/// method and path, and rules that forbid. With them come their data, a workflow that checks every
/// pull request, and a README. They are the policies that `portreeve demo` serves.
///
/// DIR is created where there is none. A file that is there already is never written over.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::commands) struct Args {
    /// The folder of the repository
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// The language of the policies
    #[arg(long, value_enum, default_value = "rego")]
    language: Language,
}

const AFTER_HELP: &str = "\
Prints the files that it wrote and what to do next.
Exit code: 0 written, 2 a file is there already (none is written), or DIR cannot be written to

Examples:
  portreeve policy init shop-policies
  portreeve policy init --language cedar && portreeve policy test
  portreeve policy init --language both shop-policies   # a bundle of each, rego/ and cedar/";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    Rego,
    Cedar,
    /// The same decisions in either language, a bundle each.
    Both,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let files = files(args.language);
    write(&args.folder, &files)?;
    print(&mut stdout().lock(), &args.folder, &files)?;
    Ok(Exit::Good)
}

/// Every file of a new repository, by its path.
fn files(language: Language) -> BTreeMap<String, String> {
    let bundles: &[(&str, &str)] = match language {
        Language::Rego => &[("rego", "")],
        Language::Cedar => &[("cedar", "")],
        Language::Both => &[("rego", "rego/"), ("cedar", "cedar/")],
    };
    let mut files = BTreeMap::new();
    for (bundle, prefix) in bundles {
        for (path, content) in shipped::bundle(bundle) {
            files.insert(format!("{prefix}{path}"), content.to_owned());
        }
    }
    let lines: Vec<_> =
        files.keys().map(|path| format!("| `{path}` | {} |", about(path))).collect();
    files.insert("README.md".to_owned(), README.replace("{files}", &lines.join("\n")));
    files.insert(".gitignore".to_owned(), GITIGNORE.to_owned());
    files.insert(".github/workflows/policy.yaml".to_owned(), WORKFLOW.to_owned());
    files
}

fn about(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let abouts = [
        (".manifest", "the entry point of the policies, and which services may load them"),
        ("entities.json", "groups and who is in them"),
        ("data.json", "what the policies look up"),
        (".cedar-tests.json", "tests in the format of `cedar run-tests`"),
        ("_test.rego", "tests in Rego, as `opa test` runs them"),
        ("_test.yaml", "tests: a request and the decision expected of it"),
        (".rego", "the policies"),
        (".cedar", "the policies"),
    ];
    abouts.iter().find(|(ending, _)| name.ends_with(ending)).map_or("", |(_, about)| about)
}

/// Writes all files, or none where one of them is there.
fn write(folder: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<()> {
    for path in files.keys().map(|path| folder.join(path)) {
        if fs::symlink_metadata(&path).is_ok() {
            bail!("`{}` is there already; nothing was written", path.display());
        }
    }
    for (path, content) in files {
        let path = folder.join(path);
        let failed = || format!("failed to write `{}`", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(failed)?;
        }
        // A file that came to be meanwhile is not written over either.
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).with_context(failed)?;
        file.write_all(content.as_bytes()).with_context(failed)?;
    }
    Ok(())
}

fn print(
    out: &mut impl Write,
    folder: &Path,
    files: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    for path in files.keys() {
        writeln!(out, "wrote {}", printable(&joined(folder, path)))?;
    }
    let place = quoted(&folder.display().to_string());
    writeln!(out, "\nNext:")?;
    writeln!(out, "  portreeve policy test {place}")?;
    writeln!(out, "  portreeve policy check {place}")?;
    writeln!(out, "  git -C {place} init && git -C {place} add .")?;
    Ok(())
}

fn joined(folder: &Path, path: &str) -> String {
    match folder == Path::new(".") {
        true => path.to_owned(),
        false => folder.join(path).display().to_string(),
    }
}

/// A path as a shell reads it back.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,@:=".contains(c);
    if path.chars().all(is_plain) && !path.is_empty() {
        return path.to_owned();
    }
    format!("'{}'", printable(path).replace('\'', "'\\''"))
}
