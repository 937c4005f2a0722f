//! `portreeve tail`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use serde_json::Value;

use super::explain::{list, place, request_line, text};
use super::log_dir::LogArgs;
use super::{Exit, Format};
use crate::audit;

const POLL: Duration = Duration::from_millis(200);

/// Show the end of the decision log, and follow it
///
/// A line is a record: time, outcome, who asked, for what, the reason, the policies that decided by
/// file and line, and the decision's id, which `portreeve explain` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Go on with what comes, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Only what was not allowed
    #[arg(long)]
    deny: bool,
    /// How many of the last lines to begin with
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    lines: usize,
    #[command(flatten)]
    log: LogArgs,
    /// How records are printed
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

const AFTER_HELP: &str = "\
Exit code: 0 shown, 2 the log cannot be read

Examples:
  portreeve tail -c portreeve.yaml
  portreeve tail -c portreeve.yaml --follow --deny
  portreeve tail -c portreeve.yaml -n 100 --format json | jq .request.path";

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let view = View { deny: args.deny, format: args.format, colour: shows_colour() };
    let (lines, mut follow) = audit::last(&args.log.dir()?, args.lines, |line| view.shows(line))?;
    let mut out = io::stdout().lock();
    if !view.write(&mut out, &lines)? || !args.follow {
        return Ok(Exit::Good);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        loop {
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    return Ok(Exit::Good);
                }
                () = tokio::time::sleep(POLL) => {}
            }
            let lines = follow.poll()?;
            if !view.write(&mut out, &lines)? {
                return Ok(Exit::Good);
            }
        }
    })
}

fn shows_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

#[derive(Clone, Copy, Debug)]
struct View {
    deny: bool,
    format: Format,
    colour: bool,
}

impl View {
    /// An end says nothing that its decision's line did not.
    fn shows(self, line: &[u8]) -> bool {
        let Ok(record) = serde_json::from_slice::<Value>(line) else { return !self.deny };
        let outcome = record.pointer("/decision/outcome").and_then(Value::as_str);
        match record.get("kind").and_then(Value::as_str) {
            Some("decision") => !self.deny || outcome != Some("allow"),
            Some("refused") => true,
            Some("end") => false,
            _ => !self.deny,
        }
    }

    /// Says whether anyone still reads.
    fn write(self, out: &mut impl Write, lines: &[Vec<u8>]) -> io::Result<bool> {
        let written = self.try_write(out, lines);
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true),
        }
    }

    fn try_write(self, out: &mut impl Write, lines: &[Vec<u8>]) -> io::Result<()> {
        for line in lines.iter().filter(|line| self.shows(line)) {
            match (self.format, serde_json::from_slice(line)) {
                (Format::Pretty, Ok(record)) => writeln!(out, "{}", self.pretty(&record))?,
                (Format::Pretty, Err(_)) => writeln!(out, "(a line that is not a record)")?,
                (Format::Json, _) => {
                    out.write_all(line)?;
                    out.write_all(b"\n")?;
                }
            }
        }
        out.flush()
    }

    fn pretty(self, record: &Value) -> String {
        let at = |pointer| text(record, pointer);
        let (time, id) = (at("/time"), at("/id"));
        match record.get("kind").and_then(Value::as_str) {
            Some("decision") => {
                let outcome = self.outcome(&at("/decision/outcome"));
                let shadow = if at("/decision/ground") == "shadow" { " (shadow)" } else { "" };
                let again = if record.get("of").is_some() { " (again)" } else { "" };
                let (source, reason) = (at("/source/spiffe_id"), at("/decision/reason"));
                let request = request_line(record);
                let mut line =
                    format!("{time} {outcome}{shadow}{again} {source} {request} {reason}");
                for policy in list(record, "/decision/policies") {
                    let _ = write!(line, " {}", place(policy)); // a string takes everything
                }
                line + " " + &id
            }
            Some("refused") => {
                let refused = self.outcome("refused");
                let (source, count) = (at("/refused/source"), at("/refused/count"));
                let claimed = match at("/refused/claimed/0/spiffe_id") {
                    none if none == "-" => String::new(),
                    claimed => format!(" claims {claimed}"),
                };
                let reason = at("/refused/reason");
                format!("{time} {refused} {source} {reason} ({count}){claimed} {id}")
            }
            _ => format!("{time} {} {}{}", at("/kind"), at("/event"), about(record)),
        }
    }

    fn outcome(self, outcome: &str) -> String {
        let colour = match outcome {
            "allow" => "32",
            "deny" | "refused" => "31",
            _ => "33",
        };
        if self.colour {
            format!("\x1b[{colour}m{outcome:<5}\x1b[0m")
        } else {
            format!("{outcome:<5}")
        }
    }
}

/// What an event is about: the commit, the identity, the cause.
fn about(record: &Value) -> String {
    let fields = ["/policy/repository", "/policy/commit", "/spiffe_id", "/reason", "/cause"];
    let told = fields.map(|field| text(record, field)).into_iter().filter(|value| value != "-");
    told.fold(String::new(), |line, value| line + " " + &value)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const LINES: [&str; 8] = [
        r#"{"kind":"decision","id":"a","time":"T1","source":{"spiffe_id":"spiffe://td/web"},"request":{"method":"GET","scheme":"https","host":"orders","path":"/a","query":{}},"decision":{"outcome":"allow","ground":"allowed","reason":"allowed","policies":[{"id":"p","file":"a.rego","line":3}]}}"#,
        r#"{"kind":"decision","id":"b","time":"T2","source":{"spiffe_id":null},"request":{"method":"GET","scheme":"https","host":"orders","path":"/\u001b[31m","query":{"k":["***"]}},"decision":{"outcome":"deny","ground":"shadow","reason":"not_allowed","policies":[]}}"#,
        r#"{"kind":"end","id":"a","time":"T3","of":1}"#,
        r#"{"kind":"decision","id":"f","time":"T3","of":1,"source":{"spiffe_id":"spiffe://td/web"},"request":{"method":"GET","scheme":"https","host":"orders","path":"/a","query":{}},"decision":{"outcome":"deny","ground":null,"reason":"not_allowed","policies":[]}}"#,
        r#"{"kind":"refused","id":"c","time":"T4","refused":{"source":"10.0.0.0/24","reason":"tls.no_certificate","count":3}}"#,
        r#"{"kind":"refused","id":"g","time":"T4","refused":{"source":"10.0.0.0/24","reason":"svid.expired","count":1,"claimed":[{"spiffe_id":"spiffe://td/\u001b","serial":"01","sha256":null}]}}"#,
        r#"{"kind":"log","id":"d","time":"T5","event":"stop"}"#,
        r#"{"kind":"policy","id":"e","time":"T6","event":"rejected","policy":{"repository":"/p","commit":"4f1c"},"cause":"no \u001b"}"#,
    ];

    #[track_caller]
    fn check(deny: bool, colour: bool, expected: Expect) {
        let view = View { deny, format: Format::Pretty, colour };
        let lines: Vec<_> = LINES.iter().map(|line| line.as_bytes().to_vec()).collect();
        let mut out = Vec::new();
        assert!(view.write(&mut out, &lines).unwrap());
        expected.assert_eq(&String::from_utf8(out).unwrap().replace('\x1b', "ESC"));
    }

    #[test]
    fn each_record_is_one_line_and_ends_are_left_out() {
        check(
            false,
            false,
            expect![[r#"
            T1 allow spiffe://td/web GET https://orders/a allowed a.rego:3 a
            T2 deny  (shadow) - GET https://orders/\u{1b}[31m?k=*** not_allowed b
            T3 deny  (again) spiffe://td/web GET https://orders/a not_allowed f
            T4 refused 10.0.0.0/24 tls.no_certificate (3) c
            T4 refused 10.0.0.0/24 svid.expired (1) claims spiffe://td/\u{1b} g
            T5 log stop
            T6 policy rejected /p 4f1c no \u{1b}
        "#]],
        );
    }

    #[test]
    fn with_deny_only_what_was_not_allowed_is_shown() {
        check(
            true,
            true,
            expect![[r#"
            T2 ESC[31mdeny ESC[0m (shadow) - GET https://orders/\u{1b}[31m?k=*** not_allowed b
            T3 ESC[31mdeny ESC[0m (again) spiffe://td/web GET https://orders/a not_allowed f
            T4 ESC[31mrefusedESC[0m 10.0.0.0/24 tls.no_certificate (3) c
            T4 ESC[31mrefusedESC[0m 10.0.0.0/24 svid.expired (1) claims spiffe://td/\u{1b} g
        "#]],
        );
    }
}
