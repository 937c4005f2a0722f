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
    if !record.pointer("/source/certificate").is_none_or(Value::is_null) {
        let (serial, end) = (at("/source/certificate/serial"), at("/source/certificate/not_after"));
        row(out, "", &format!("certificate {serial}, valid until {end}"))?;
    }
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
    row(
        out,
        "source",
        &format!("{}, {count} times at {}", at("/refused/source"), at("/refused/stage")),
    )?;
    for claimed in list(record, "/refused/claimed") {
        let [id, serial, sha256] =
            ["/spiffe_id", "/serial", "/sha256"].map(|field| text(claimed, field));
        row(out, "claims", &format!("{id}, serial {serial}, sha256 {sha256}"))?;
    }
    row(out, "detail", &at("/refused/detail"))
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
mod tests {
    use expect_test::expect;

    use super::*;

    const DECISION: &str = r#"{"v":1,"seq":42,"id":"01a3185c-5000-7101-8101-010101010101","time":"2027-01-15T08:00:00.012345Z","kind":"decision","source":{"spiffe_id":"spiffe://td/web","trust_domain":"td","address":{"ip":"10.0.0.1","port":4711},"certificate":{"serial":"0a","not_after":"2027-01-15T09:00:00.000000Z"}},"destination":{"spiffe_id":"spiffe://td/orders","service":"orders"},"request":{"direction":"inbound","method":"GET","scheme":"https","host":"orders","path":"/a\u001b[2J\u202eb","query":{"id":["***","***"]},"route":"default","headers":{"accept":["*/*"]}},"decision":{"outcome":"deny","ground":null,"reason":"forbidden","policies":[{"id":"no-web","file":"orders.cedar","line":7}],"errors":[]},"policy":{"repository":"https://git.example/p.git","ref":"main","commit":"4f1c","digest":"sha256:ab","signer":null},"masked":["/request/query"]}"#;
    const END: &str = r#"{"kind":"end","of":42,"response":{"status":403,"bytes":51},"request":{"bytes":0},"tries":0,"duration_us":1500,"flags":[]}"#;

    #[test]
    fn a_denial_names_its_rule_and_shows_nothing_that_moves_the_cursor() {
        let records = [DECISION, END].map(|line| serde_json::from_str(line).unwrap());
        let mut out = Vec::new();
        write_records(&mut out, &records, Format::Pretty).unwrap();
        expect![[r#"
            deny: forbidden
              decision    01a3185c-5000-7101-8101-010101010101 (record 42)
              time        2027-01-15T08:00:00.012345Z
              source      spiffe://td/web from 10.0.0.1:4711
                          certificate 0a, valid until 2027-01-15T09:00:00.000000Z
              destination orders (spiffe://td/orders)
              request     GET https://orders/a\u{1b}[2J\u{202e}b?id=***&id=***
              route       default (inbound)
              headers     accept: */*
              decided by  orders.cedar:7  `no-web`
              policy      https://git.example/p.git main at commit 4f1c
                          sha256:ab, no signer
              masked      /request/query
              end         status 403, 0 bytes in, 51 out, tries 0, 1.500 ms
        "#]]
        .assert_eq(&String::from_utf8(out).unwrap());
    }

    #[test]
    fn a_decision_on_an_exchange_in_flight_says_so() {
        for (of, expected) in [("17", "is record 17"), ("null", "is lost")] {
            let again = DECISION.replace("\"seq\":42,", &format!("\"seq\":42,\"of\":{of},"));
            let record = serde_json::from_str(&again).unwrap();
            let mut out = Vec::new();
            write_records(&mut out, &[record], Format::Pretty).unwrap();
            let text = String::from_utf8(out).unwrap();
            let line = text.lines().nth(2).unwrap();
            let expected = format!("decided again while in flight: the first decision {expected}");
            assert_eq!(line.trim_start(), expected);
        }
    }

    #[test]
    fn a_refusal_names_who_claimed_to_be_whom_and_by_which_certificate() {
        let record = r#"{"kind":"refused","refused":{"stage":"tls","reason":"svid.expired","source":"10.0.0.0/24","count":2,"first":"T1","last":"T2","claimed":[{"spiffe_id":"spiffe://td/\u001b","serial":"9f01","sha256":"ab12"},{"spiffe_id":null,"serial":null,"sha256":"cd34"}],"detail":"it ended"}}"#;
        let mut out = Vec::new();
        write_records(&mut out, &[serde_json::from_str(record).unwrap()], Format::Pretty).unwrap();
        expect![[r#"
            refused before a decision: svid.expired
              time        T1 to T2
              source      10.0.0.0/24, 2 times at tls
              claims      spiffe://td/\u{1b}, serial 9f01, sha256 ab12
              claims      -, serial -, sha256 cd34
              detail      it ended
        "#]]
        .assert_eq(&String::from_utf8(out).unwrap());
    }

    const ID: &str = "01a3185c-5000-7101-8101-010101010101";

    fn run_with(id: Option<&str>, dir: &Path) -> anyhow::Result<Exit> {
        let id = id.map(str::to_owned);
        run(Args { id, log: LogArgs::of(dir), format: Format::Pretty })
    }

    #[test]
    fn an_id_that_is_not_there_is_no_and_one_that_is_none_could_not_run() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(run_with(Some(ID), dir.path()).unwrap(), Exit::No);
        assert_eq!(run_with(None, dir.path()).unwrap(), Exit::No);
        assert!(run_with(Some("x"), dir.path()).is_err());
    }

    #[test]
    fn without_an_id_the_last_decision_that_is_no_allow_is_explained() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("decisions-20261121T100000Z-00000000000000000001.ndjson");
        let line = |id: &str, outcome: &str| {
            format!("{{\"id\":\"{id}\",\"decision\":{{\"outcome\":\"{outcome}\"}}}}\n")
        };
        let other = ID.replace("01a3", "01a4");
        let allowed = line(&ID.replace("01a3", "01a5"), "allow");
        std::fs::write(&file, allowed.clone()).unwrap();
        assert_eq!(last_not_allowed(dir.path()).unwrap(), Vec::<Value>::new());
        let lines = [line(ID, "deny"), line(&other, "error"), allowed].concat();
        std::fs::write(&file, lines).unwrap();
        let found = last_not_allowed(dir.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["id"], other);
    }
}
