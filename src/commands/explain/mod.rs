//! `portreeve explain`.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use portreeve_core::record::{DecisionId, printable};
use serde_json::Value;

use super::log_dir::LogArgs;
use super::{Exit, Format};
use crate::audit;

/// Say why a request was decided as it was
///
/// Shows the record of one decision: what was decided and by which policy at which line, who asked
/// for what, and the policy revision in force; then each decision on the same exchange by a later
/// policy, while it was in flight, and how it ended. Every response carries its decision's id, in the
/// header x-portreeve-decision-id; without an id, the last request that was not allowed is
/// explained.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The decision's id [default: the last decision that is no allow]
    id: Option<String>,
    #[command(flatten)]
    log: LogArgs,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

const AFTER_HELP: &str = "\
Exit code: 0 explained, 1 the log has no such decision, 2 the log cannot be read

Examples:
  portreeve explain -c portreeve.yaml
  portreeve explain -c portreeve.yaml 01a3185c-5000-7101-8101-010101010101
  portreeve explain --log /var/lib/portreeve/log --format json | jq .decision";

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { id, log, format } = args;
    let id = id.map(|text| DecisionId::parse(&text)).transpose()?;
    let dir = log.dir()?;
    let (records, wanted) = match id {
        Some(id) => (audit::find(&dir, &id)?, format!("record of `{id}`")),
        None => (last_not_allowed(&dir)?, "decision that is no allow".to_owned()),
    };
    if records.is_empty() {
        let _ = writeln!(io::stderr(), "no {wanted} in `{}`", dir.display());
        return Ok(Exit::No);
    }
    let mut out = io::stdout().lock();
    write_records(&mut out, &records, format).context("failed to write to standard output")?;
    Ok(Exit::Good)
}

fn last_not_allowed(dir: &Path) -> anyhow::Result<Vec<Value>> {
    let id_of = |line: &[u8]| {
        let record = serde_json::from_slice::<Value>(line).ok()?;
        let outcome = record.pointer("/decision/outcome")?.as_str()?;
        let id = record.get("id")?.as_str()?.to_owned();
        (outcome != "allow").then_some(id)
    };
    let (lines, _) = audit::last(dir, 1, |line| id_of(line).is_some())?;
    match lines.iter().find_map(|line| id_of(line)) {
        Some(id) => Ok(audit::find(dir, &DecisionId::parse(&id)?)?),
        None => Ok(Vec::new()),
    }
}

fn write_records(out: &mut impl Write, records: &[Value], format: Format) -> io::Result<()> {
    for record in records {
        match (format, record.get("kind").and_then(Value::as_str)) {
            (Format::Json, _) => writeln!(out, "{record}")?,
            (Format::Pretty, Some("decision")) => write_decision(out, record)?,
            (Format::Pretty, Some("end")) => write_end(out, record)?,
            (Format::Pretty, Some("refused")) => write_refused(out, record)?,
            (Format::Pretty, _) => writeln!(out, "{}", printable(&record.to_string()))?,
        }
    }
    Ok(())
}

fn write_decision(out: &mut impl Write, record: &Value) -> io::Result<()> {
    let at = |pointer| text(record, pointer);
    let ground = match at("/decision/ground") {
        ground if ground == "shadow" => ", forwarded all the same: the listener only shadows",
        _ => "",
    };
    writeln!(out, "{}: {}{ground}", at("/decision/outcome"), at("/decision/reason"))?;
    row(out, "decision", &format!("{} (record {})", at("/id"), at("/seq")))?;
    if let Some(of) = record.get("of") {
        let first = of.as_u64().map_or_else(|| "lost".to_owned(), |of| format!("record {of}"));
        row(out, "", &format!("decided again while in flight: the first decision is {first}"))?;
    }
    row(out, "time", &at("/time"))?;
    let from = format!("{}:{}", at("/source/address/ip"), at("/source/address/port"));
    row(out, "source", &format!("{} from {from}", at("/source/spiffe_id")))?;
    write_proofs(out, record)?;
    let (service, to) = (at("/destination/service"), at("/destination/spiffe_id"));
    row(out, "destination", &format!("{service} ({to})"))?;
    row(out, "request", &request_line(record))?;
    row(out, "route", &format!("{} ({})", at("/request/route"), at("/request/direction")))?;
    let headers = record.pointer("/request/headers").and_then(Value::as_object);
    let mut label = "headers";
    for (name, values) in headers.into_iter().flatten() {
        for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
            row(out, label, &format!("{}: {}", printable(name), printable(value)))?;
            label = "";
        }
    }
    if at("/decision/reason") == "not_allowed" {
        row(out, "decided by", "no policy allows it, and none forbids it")?;
    }
    for policy in list(record, "/decision/policies") {
        row(out, "decided by", &format!("{}  `{}`", place(policy), text(policy, "/id")))?;
    }
    for error in list(record, "/decision/errors") {
        let policy = error.get("policy").filter(|policy| !policy.is_null());
        let place = policy.map_or_else(String::new, |policy| format!("{}: ", place(policy)));
        row(out, "error", &format!("{place}{}", text(error, "/text")))?;
    }
    let revision = format!("{} {}", at("/policy/repository"), at("/policy/ref"));
    row(out, "policy", &format!("{revision} at commit {}", at("/policy/commit")))?;
    let signer = record.pointer("/policy/signer").and_then(Value::as_str);
    let signed =
        signer.map_or_else(|| "no signer".to_owned(), |by| format!("signed by {}", printable(by)));
    row(out, "", &format!("{}, {signed}", at("/policy/digest")))?;
    let masked: Vec<_> = list(record, "/masked").map(|it| text(it, "")).collect();
    if masked.is_empty() { Ok(()) } else { row(out, "masked", &masked.join(", ")) }
}

/// By what the caller proved who it is.
fn write_proofs(out: &mut impl Write, record: &Value) -> io::Result<()> {
    if list(record, "/masked").any(|masked| masked == "/source/jwt") {
        row(out, "", "proven by a JWT-SVID")?;
    }
    let Some(certificate) = record.pointer("/source/certificate").filter(|it| !it.is_null()) else {
        return Ok(());
    };
    let (serial, end) = (text(certificate, "/serial"), text(certificate, "/not_after"));
    row(out, "", &format!("proven by an X.509-SVID, serial {serial}, valid until {end}"))
}

fn write_end(out: &mut impl Write, record: &Value) -> io::Result<()> {
    let at = |pointer| text(record, pointer);
    let sizes = format!("{} bytes in, {} out", at("/request/bytes"), at("/response/bytes"));
    let micros = record.get("duration_us").and_then(Value::as_u64).unwrap_or_default();
    let took = format!("{}.{:03} ms", micros / 1_000, micros % 1_000);
    let tries = at("/tries");
    row(out, "end", &format!("status {}, {sizes}, tries {tries}, {took}", at("/response/status")))?;
    let flags: Vec<_> = list(record, "/flags").map(|flag| text(flag, "")).collect();
    if flags.is_empty() { Ok(()) } else { row(out, "", &flags.join(", ")) }
}

fn write_refused(out: &mut impl Write, record: &Value) -> io::Result<()> {
    let at = |pointer| text(record, pointer);
    writeln!(out, "refused before a decision: {}", at("/refused/reason"))?;
    row(out, "time", &format!("{} to {}", at("/refused/first"), at("/refused/last")))?;
    let count = at("/refused/count");
    let times = if count == "1" { "once".to_owned() } else { format!("{count} times") };
    let (source, stage) = (at("/refused/source"), at("/refused/stage"));
    row(out, "source", &format!("{source}, {times} at {stage}"))?;
    for claimed in list(record, "/refused/claimed") {
        write_claimed(out, claimed)?;
    }
    row(out, "detail", &at("/refused/detail"))
}

/// A token has no serial number, a certificate that does not parse nothing but its bytes.
fn write_claimed(out: &mut impl Write, claimed: &Value) -> io::Result<()> {
    let fields = [("", "/spiffe_id"), ("serial ", "/serial"), ("sha256 ", "/sha256")];
    let parts: Vec<_> = fields
        .into_iter()
        .filter(|(_, field)| claimed.pointer(field).is_some_and(|value| !value.is_null()))
        .map(|(name, field)| format!("{name}{}", text(claimed, field)))
        .collect();
    if parts.is_empty() { Ok(()) } else { row(out, "claims", &parts.join(", ")) }
}

fn row(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<12}{value}")
}

/// `GET https://orders/orders/17?id=***`.
pub(super) fn request_line(record: &Value) -> String {
    let at = |pointer| text(record, pointer);
    let query = record.pointer("/request/query").and_then(Value::as_object);
    let pairs: Vec<_> = query
        .into_iter()
        .flatten()
        .flat_map(|(key, values)| {
            let count = values.as_array().map_or(0, Vec::len);
            std::iter::repeat_n(format!("{}=***", printable(key)), count)
        })
        .collect();
    let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
    let (method, scheme) = (at("/request/method"), at("/request/scheme"));
    format!("{method} {scheme}://{}{}{query}", at("/request/host"), at("/request/path"))
}

/// `orders.cedar:7`.
pub(super) fn place(policy: &Value) -> String {
    format!("{}:{}", text(policy, "/file"), text(policy, "/line"))
}

pub(super) fn list<'a>(record: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    record.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A field as a terminal may show it; `-` where there is none.
pub(super) fn text<'a>(record: &'a Value, pointer: &str) -> Cow<'a, str> {
    match record.pointer(pointer) {
        None | Some(Value::Null) => Cow::Borrowed("-"),
        Some(Value::String(text)) => printable(text),
        Some(other) => Cow::Owned(printable(&other.to_string()).into_owned()),
    }
}

#[cfg(test)]
mod tests;
