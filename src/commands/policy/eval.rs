//! `portreeve policy eval`: one request, one decision, and which policies made it.

use std::fs::File;
use std::io::{self, Read as _, Write, stderr, stdin, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use portreeve_core::policy::cases::without_credentials;
use portreeve_core::policy::{Decision, Files, Findings, Outcome};
use portreeve_core::request::AccessRequest;
use serde_json::{Map, Value, json};

use super::read;
use super::report::{place, policy_to_json, printable};
use super::work::{Answer, Asked, Rooted, Task, in_worker, rooted};
use crate::commands::{Exit, Format};
use crate::loader::Guard;

/// An input document is a request head and a bounded body; this is far above any.
const MAX_INPUT_BYTES: u64 = 16 << 20;

/// Decide one request and show which policies decided it.
///
/// The request is an input document (--input), as a record's view or a test holds it, or is
/// described by options; what they leave out is filled in as for an ordinary request. The decision
/// comes from the very function that decides in the sidecar, so the answer is the one that a caller
/// would get.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::commands) struct Args {
    /// The bundle
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Read an input document from FILE, or from standard input (`-`)
    #[arg(long, value_name = "FILE", conflicts_with = "description")]
    input: Option<PathBuf>,
    #[command(flatten)]
    description: Description,
    /// How the decision is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
}

/// The request, by what matters about it.
#[derive(Debug, clap::Args)]
#[group(id = "description", multiple = true)]
struct Description {
    /// The caller's SPIFFE ID; without it the caller has no identity
    #[arg(long, value_name = "SPIFFE_ID")]
    source: Option<String>,
    /// The caller's IP address
    #[arg(long, value_name = "IP")]
    source_ip: Option<String>,
    /// GET when not given
    #[arg(long)]
    method: Option<String>,
    /// The request's path, with its query if it has one; / when not given
    #[arg(long)]
    path: Option<String>,
    /// A header as `name: value`; may be given again
    #[arg(long = "header", value_name = "NAME:VALUE")]
    headers: Vec<String>,
    /// The host that is asked
    #[arg(long)]
    host: Option<String>,
    /// The configured name of the service beside the sidecar
    #[arg(long)]
    service: Option<String>,
    /// The name of the route that matches
    #[arg(long)]
    route: Option<String>,
}

const AFTER_HELP: &str = "\
Exit code: 0 allow, 1 deny or error, 2 the bundle or the request cannot be read

Examples:
  portreeve policy eval policies/cedar --route health --path /healthz
  portreeve policy eval policies/rego --input request.json --format json
  portreeve policy eval --method DELETE --path /orders/1 --header 'x-tenant: blue'";

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let files = read::files_of(&args.folder)?;
    let asked = match args.input.as_deref() {
        Some(path) => Asked::Document(read_input(path)?),
        None => Asked::Described(args.description.to_json()?),
    };
    asked.request().context("the request does not fit the input document's schema")?;
    let Rooted { root, files } = only_bundle(&files, &args.folder)?;
    let task = Task::Eval { root: root.clone(), asked, format: args.format };
    match in_worker(&task, &files, Guard::default()) {
        Ok(Answer::Decided { is_allowed, text }) => {
            stdout().lock().write_all(text.as_bytes())?;
            Ok(if is_allowed { Exit::Good } else { Exit::No })
        }
        Ok(Answer::DoesNotLoad { findings, .. }) => {
            bail!("the bundle `{}` does not load\n{}", root.display(), printed(&findings))
        }
        Ok(_) => bail!("the answer is to another task"),
        Err(failure) if failure.is_by_policy() => {
            let finding = Findings(vec![failure.finding("the evaluation")]);
            writeln!(stderr().lock(), "{}", printed(&finding))?;
            Ok(Exit::No)
        }
        Err(failure) => Err(anyhow!(failure).context("failed to evaluate in a worker")),
    }
}

/// Findings are foreign text too, but for the ends of their lines.
fn printed(findings: &Findings) -> String {
    let lines: Vec<_> = findings.0.iter().map(|f| printable(&f.to_string()).into_owned()).collect();
    lines.join("\n")
}

fn only_bundle(files: &Files, folder: &Path) -> anyhow::Result<Rooted> {
    let bundles = rooted(files, folder)
        .with_context(|| format!("failed to read the bundles of `{}`", folder.display()))?;
    let names: Vec<String> = bundles.iter().map(|b| format!("`{}`", b.root.display())).collect();
    let mut bundles = bundles.into_iter();
    match (bundles.next(), bundles.next()) {
        (Some(bundle), None) => Ok(bundle),
        _ => {
            bail!("`{}` holds several bundles, name one of {}", folder.display(), names.join(", "))
        }
    }
}

/// What the worker says about its decision, without the credentials of the request.
pub(super) fn answer(
    decision: &mut Decision,
    request: &AccessRequest,
    root: &Path,
    digest: &str,
    format: Format,
) -> Answer {
    for error in &mut decision.errors {
        error.text = without_credentials(&error.text, request);
    }
    let mut text = Vec::new();
    // A vector takes every write.
    let _ = print(&mut text, decision, root, digest, format);
    Answer::Decided {
        is_allowed: decision.outcome == Outcome::Allow,
        text: String::from_utf8_lossy(&text).into_owned(),
    }
}

fn read_input(path: &Path) -> anyhow::Result<Value> {
    let mut text = Vec::new();
    let limit = MAX_INPUT_BYTES.saturating_add(1);
    if path == Path::new("-") {
        stdin()
            .lock()
            .take(limit)
            .read_to_end(&mut text)
            .context("failed to read standard input")?;
    } else {
        let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut text));
        read.with_context(|| format!("failed to read `{}`", path.display()))?;
    }
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    ensure!(length <= MAX_INPUT_BYTES, "the input is larger than {MAX_INPUT_BYTES} bytes");
    let name = path.display();
    serde_json::from_slice(&text).with_context(|| format!("input `{name}` is not JSON"))
}

impl Description {
    /// The description as a test case would write it.
    fn to_json(&self) -> anyhow::Result<Value> {
        let path = self.path.as_deref().unwrap_or("/");
        let mut described = Map::from_iter([("path".to_owned(), path.into())]);
        let texts = [
            ("source", &self.source),
            ("source_ip", &self.source_ip),
            ("method", &self.method),
            ("host", &self.host),
            ("service", &self.service),
            ("route", &self.route),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                described.insert(key.to_owned(), Value::String(text.clone()));
            }
        }
        let mut headers: Map<String, Value> = Map::new();
        for header in &self.headers {
            // The value may be a secret: it is not repeated.
            let (name, value) = header.split_once(':').context("a header must be `name: value`")?;
            let name = name.trim().to_ascii_lowercase();
            let values = headers.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(values) = values {
                values.push(Value::String(value.trim().to_owned()));
            }
        }
        if !headers.is_empty() {
            described.insert("headers".to_owned(), Value::Object(headers));
        }
        Ok(Value::Object(described))
    }
}

fn print(
    out: &mut impl Write,
    decision: &Decision,
    root: &Path,
    digest: &str,
    format: Format,
) -> io::Result<()> {
    if format == Format::Json {
        serde_json::to_writer_pretty(&mut *out, &to_json(decision, root, digest))?;
        return writeln!(out);
    }
    writeln!(out, "{} ({})", decision.outcome.as_str(), decision.reason.as_str())?;
    let path = |file: &str| root.join(file).display().to_string();
    for policy in &decision.policies {
        let place = place(&path(&policy.file), policy.line);
        writeln!(out, "  by {} at {place}", printable(&policy.id))?;
    }
    for error in &decision.errors {
        let policy = error.policy.as_ref();
        let place = policy.map(|policy| place(&path(&policy.file), policy.line) + ": ");
        writeln!(out, "  error: {}{}", place.unwrap_or_default(), printable(&error.text))?;
    }
    Ok(())
}

fn to_json(decision: &Decision, root: &Path, digest: &str) -> Value {
    let error = |error: &portreeve_core::policy::EvaluationError| json!({ "policy": error.policy.as_ref().map(policy_to_json), "text": error.text });
    let effects = &decision.effects;
    json!({
        "outcome": decision.outcome.as_str(),
        "reason": decision.reason.as_str(),
        "policies": decision.policies.iter().map(policy_to_json).collect::<Vec<_>>(),
        "errors": decision.errors.iter().map(error).collect::<Vec<_>>(),
        "effects": {
            "http_status": effects.http_status,
            "body": effects.body,
            "headers": effects.headers,
            "response_headers_to_add": effects.response_headers_to_add,
            "request_headers_to_remove": effects.request_headers_to_remove,
        },
        "bundle": { "root": root.display().to_string(), "digest": digest },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(path: Option<&str>, headers: &[&str]) -> Description {
        Description {
            source: Some("spiffe://td/shop".to_owned()),
            source_ip: None,
            method: None,
            path: path.map(str::to_owned),
            headers: headers.iter().map(|&header| header.to_owned()).collect(),
            host: None,
            service: None,
            route: Some("orders".to_owned()),
        }
    }

    #[test]
    fn options_become_the_description_of_a_test_case() {
        let headers = ["X-A: 1", "x-a:2", "x-url: http://a"];
        let expected = json!({
            "source": "spiffe://td/shop",
            "path": "/orders/1",
            "route": "orders",
            "headers": {"x-a": ["1", "2"], "x-url": ["http://a"]},
        });
        assert_eq!(description(Some("/orders/1"), &headers).to_json().unwrap(), expected);
        assert_eq!(description(None, &[]).to_json().unwrap()["path"], "/");
    }

    #[test]
    fn a_header_without_a_colon_is_refused_without_repeating_it() {
        let error =
            format!("{:#}", description(None, &["authorization s3cret"]).to_json().unwrap_err());
        assert!(error.contains("`name: value`") && !error.contains("s3cret"), "{error}");
    }
}
