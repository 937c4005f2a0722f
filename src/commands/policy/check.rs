//! `portreeve policy check`: everything that is wrong with a bundle, at its line.

use std::io::{self, Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use portreeve_core::policy::{
    Files, FilesError, Finding, Findings, PolicyWay, Severity, Way, Ways,
};
use serde_json::json;

use super::report::{place, printable};
use super::work::{Answer, Rooted, Task, in_worker, rooted};
use super::{github, read};
use crate::commands::Exit;
use crate::loader::{Counts, Failure, Guard};

/// Find what is wrong with a bundle before a sidecar refuses it.
///
/// Reads DIR exactly as a sidecar reads its policy store: parses, validates against the schema of
/// the request, compiles, and refuses what could not be decided safely or in bounded time. Every
/// finding names its file, line and column, shows the line and, where it can, says what to do.
/// Errors keep a bundle from being loaded, or its tests from being run; warnings do not.
///
/// DIR is a bundle, or a folder of bundles (each folder with a `.manifest` is one).
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::commands) struct Args {
    /// The bundle, or a folder of bundles
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// How findings are printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: FindingsFormat,
    /// Say for every policy how it is evaluated, not only for those that every request pays for
    #[arg(long)]
    ways: bool,
}

const AFTER_HELP: &str = "\
Exit code: 0 no error (warnings do not count), 1 an error, 2 DIR cannot be read
Ways:      native       plain comparisons, read from the request without an engine
           interpreter  by the engine, for the requests that an index finds
           always       by the engine, for every request: begin with a plain comparison
Limits:    docs/policy-limits.md

Examples:
  portreeve policy check policies/
  portreeve policy check --format github policies/   # annotations on a pull request";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FindingsFormat {
    /// For people; may change.
    Pretty,
    /// For machines; does not change.
    Json,
    /// Workflow commands that GitHub shows beside the lines of a pull request.
    Github,
}

/// What the check of a folder says, paths beginning with the folder.
#[derive(Debug, Default)]
struct Report {
    findings: Vec<Finding>,
    bundles: Vec<BundleReport>,
}

#[derive(Debug)]
struct BundleReport {
    root: String,
    digest: String,
    /// `None` where the bundle does not load.
    counts: Option<Counts>,
    ways: Ways,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let files = match read::files_of(&args.folder) {
        Ok(files) => files,
        Err(error) if error.is::<FilesError>() => {
            let mut report = Report::default();
            report.refuse(&args.folder, &error);
            return print(&report, args);
        }
        Err(error) => return Err(error),
    };
    let check = |files: &Files| in_worker(&Task::Check, files, Guard::default());
    let report = report_of(&files, &args.folder, check)?;
    print(&report, args)
}

fn print(report: &Report, args: &Args) -> anyhow::Result<Exit> {
    let out = &mut stdout().lock();
    match args.format {
        FindingsFormat::Pretty => print_pretty(out, report, args.ways)?,
        FindingsFormat::Json => print_json(out, report)?,
        FindingsFormat::Github => {
            for finding in &report.findings {
                writeln!(out, "{}", github::annotation(finding))?;
            }
        }
    }
    Ok(if report.is_good() { Exit::Good } else { Exit::No })
}

fn report_of(
    files: &Files,
    folder: &Path,
    check: impl Fn(&Files) -> Result<Answer, Failure>,
) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let bundles = match rooted(files, folder) {
        Ok(bundles) => bundles,
        Err(findings) => {
            report.add(folder, files, findings.0);
            return Ok(report);
        }
    };
    for Rooted { root, files } in bundles {
        let mut ways = Vec::new();
        let (digest, counts, findings) = match check(&files) {
            Ok(Answer::Loads { digest, counts, ways: of_policies, findings }) => {
                ways = of_policies;
                (digest, Some(counts), findings)
            }
            Ok(Answer::DoesNotLoad { digest, findings }) => (digest, None, findings),
            Ok(_) => bail!("the answer is to another task"),
            Err(failure) if failure.is_by_policy() => {
                (files.digest(), None, Findings(vec![failure.finding("the check")]))
            }
            Err(failure) => return Err(failure).context("failed to check in a worker"),
        };
        report.add(&root, &files, findings.0);
        let ways = Ways::of(ways, usize::MAX);
        report.bundles.push(BundleReport {
            root: root.display().to_string(),
            digest,
            counts,
            ways,
        });
    }
    Ok(report)
}

impl Report {
    /// Takes a bundle's findings over: the source line is looked up where it is missing, the path
    /// becomes one that can be opened from here.
    fn add(&mut self, root: &Path, files: &Files, findings: Vec<Finding>) {
        for mut finding in findings {
            if finding.source.is_none() {
                finding.source = source_line(files, &finding);
            }
            finding.file = match finding.file.as_str() {
                "" => root.display().to_string(),
                file => root.join(file).display().to_string(),
            };
            self.findings.push(finding);
        }
        self.findings.sort_by(|a, b| {
            (&a.file, a.line, a.column, a.severity).cmp(&(&b.file, b.line, b.column, b.severity))
        });
    }

    /// Files that no bundle may hold are a finding about the folder: the error names the file.
    fn refuse(&mut self, folder: &Path, error: &anyhow::Error) {
        let mut finding = Finding::new(Severity::Error, "", 0, 0, error.root_cause().to_string());
        finding.hint = Some("see the limits in docs/policy-limits.md".to_owned());
        self.add(folder, &Files::default(), vec![finding]);
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// A bundle that does not load is bad even if nothing said why.
    fn is_good(&self) -> bool {
        self.count(Severity::Error) == 0
            && !self.bundles.is_empty()
            && self.bundles.iter().all(|bundle| bundle.counts.is_some())
    }
}

fn source_line(files: &Files, finding: &Finding) -> Option<String> {
    let index = usize::try_from(finding.line).ok()?.checked_sub(1)?;
    let text = std::str::from_utf8(files.get(&finding.file)?).ok()?;
    text.lines().nth(index).map(str::to_owned)
}

fn print_pretty(out: &mut impl Write, report: &Report, all_ways: bool) -> io::Result<()> {
    for finding in &report.findings {
        print_finding(out, finding)?;
    }
    for bundle in &report.bundles {
        let root = printable(&bundle.root);
        match bundle.counts {
            Some(Counts { cedar_policies, rego_rules }) => writeln!(
                out,
                "{root}: loads, with {} and {} ({})",
                counted(cedar_policies, "Cedar policy", "Cedar policies"),
                counted(rego_rules, "Rego rule", "Rego rules"),
                bundle.digest,
            )?,
            None => writeln!(out, "{root}: does not load")?,
        }
        print_ways(out, bundle, all_ways)?;
    }
    let errors = counted(report.count(Severity::Error), "error", "errors");
    writeln!(out, "{errors}, {}", counted(report.count(Severity::Warning), "warning", "warnings"))
}

/// How the policies are evaluated: how many each way, and which of them cost every request.
fn print_ways(out: &mut impl Write, bundle: &BundleReport, all: bool) -> io::Result<()> {
    let Ways { native, interpreter, always, policies } = &bundle.ways;
    if policies.is_empty() {
        return Ok(());
    }
    writeln!(out, "  evaluated: {native} native, {interpreter} interpreter, {always} always")?;
    for PolicyWay { policy, way, why } in policies.iter().filter(|p| all || p.way == Way::Always) {
        let file = Path::new(&bundle.root).join(&*policy.file).display().to_string();
        let (id, place) = (printable(&policy.id), place(&file, policy.line));
        let why = if why.is_empty() { String::new() } else { format!(": {}", printable(why)) };
        writeln!(out, "    {:<11}  {place} {id}{why}", way.as_str())?;
    }
    Ok(())
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The place and the sentence, the line with a caret under the column, the hint.
pub(super) fn print_finding(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let column = if finding.column > 0 { format!(":{}", finding.column) } else { String::new() };
    let place = place(&finding.file, finding.line);
    writeln!(out, "{place}{column}: {severity}: {}", printable(&finding.message))?;
    if let Some(source) = &finding.source {
        let number = finding.line.to_string();
        writeln!(out, "  {number} | {}", printable(source))?;
        if let Some(before) = usize::try_from(finding.column).ok().and_then(|c| c.checked_sub(1)) {
            // What stands before the caret keeps its tabs, so that the caret stands under its column.
            let start: String = source.chars().take(before).collect();
            let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
            let indent: String = printable(&start).chars().map(blank).collect();
            writeln!(out, "  {} | {indent}^", " ".repeat(number.len()))?;
        }
    }
    if let Some(hint) = &finding.hint {
        writeln!(out, "  hint: {}", printable(hint))?;
    }
    Ok(())
}

fn print_json(out: &mut impl Write, report: &Report) -> anyhow::Result<()> {
    let bundle = |bundle: &BundleReport| {
        json!({
            "root": bundle.root,
            "digest": bundle.digest,
            "loads": bundle.counts.is_some(),
            "cedar_policies": bundle.counts.map(|counts| counts.cedar_policies),
            "rego_rules": bundle.counts.map(|counts| counts.rego_rules),
            "ways": bundle.ways,
        })
    };
    let document = json!({
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "findings": report.findings,
        "bundles": report.bundles.iter().map(bundle).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(line: u32, column: u32) -> Finding {
        let message = "`x` is not defined".to_owned();
        Finding::new(Severity::Error, "a.rego", line, column, message)
    }

    #[track_caller]
    fn check(finding: Finding, expected: &str) {
        let mut files = Files::default();
        files.insert("a.rego", b"package a\n\tallow if x\n".to_vec()).unwrap();
        let mut report = Report::default();
        report.add(Path::new("policies"), &files, vec![finding]);
        let mut out = Vec::new();
        print_finding(&mut out, &report.findings[0]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_finding_shows_its_line_and_points_at_its_column() {
        check(
            finding(2, 11),
            "policies/a.rego:2:11: error: `x` is not defined\n  2 | \tallow if x\n    | \t         ^\n",
        );
        check(finding(2, 0), "policies/a.rego:2: error: `x` is not defined\n  2 | \tallow if x\n");
        check(finding(0, 0), "policies/a.rego: error: `x` is not defined\n");
        check(finding(99, 1), "policies/a.rego:99:1: error: `x` is not defined\n");
    }

    #[test]
    fn a_hint_stands_under_its_finding() {
        let hinted = Finding { hint: Some("define it".into()), ..finding(0, 0) };
        check(hinted, "policies/a.rego: error: `x` is not defined\n  hint: define it\n");
    }

    #[test]
    fn a_report_is_good_only_where_every_bundle_loads() {
        let bundle = |counts| {
            let (root, digest, ways) = (String::new(), String::new(), Ways::default());
            BundleReport { root, digest, counts, ways }
        };
        let good = || bundle(Some(Counts::default()));
        assert!(Report { findings: vec![], bundles: vec![good()] }.is_good());
        assert!(!Report { findings: vec![], bundles: vec![good(), bundle(None)] }.is_good());
        assert!(!Report { findings: vec![finding(1, 1)], bundles: vec![good()] }.is_good());
        let warning = Finding { severity: Severity::Warning, ..finding(1, 1) };
        assert!(Report { findings: vec![warning], bundles: vec![good()] }.is_good());
        assert!(!Report::default().is_good());
    }
}
