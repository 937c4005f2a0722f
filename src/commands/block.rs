//! `portreeve block` and `portreeve unblock`: the deny-list of a running sidecar.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use portreeve_core::spiffe::SpiffeId;

use super::status::AdminArgs;
use super::{Exit, Format, printable};
use crate::admin::{self, client};
use crate::identity::Denial;
use crate::identity::deny_list::MAX_REASON_BYTES;

/// Whoever is to be blocked for longer is blocked until that is lifted.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Block a caller at a running sidecar
///
/// Names a SPIFFE ID, or a whole trust domain as `spiffe://td`. As a caller by X.509-SVID its new
/// connections are refused and its open ones cut within a second; as a caller by JWT-SVID its new
/// requests are refused and its open exchanges ended. Only callers are meant: an upstream of that name
/// is still connected to. The entry is recorded, and kept over a restart in
/// `state_dir`/deny-list.json. It prints the entry; with --list all of them.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The SPIFFE ID, or `spiffe://td` for all of a trust domain
    #[arg(value_name = "ID", required_unless_present = "list", value_parser = spiffe_id)]
    id: Option<SpiffeId>,
    /// Why, in 1 to 512 bytes: it stands in the records and in the sidecar's log
    #[arg(long, value_name = "TEXT", required_unless_present = "list", value_parser = reason)]
    reason: Option<String>,
    /// For how long, such as 90s, 30m, 2h or 7d; until `unblock` if nothing is said
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    span: Option<Duration>,
    /// Show who is blocked
    #[arg(long, conflicts_with_all = ["id", "reason", "span"])]
    list: bool,
    #[command(flatten)]
    admin: AdminArgs,
    /// How it is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
}

const AFTER_HELP: &str = "\
The sidecar is found by --admin or PORTREEVE_ADMIN, then by --config, then in /var/lib/portreeve.
Exit code: 0 blocked, 2 no sidecar answers or it refuses

Examples:
  portreeve block spiffe://prod.example/web --for 2h --reason 'its key leaked'
  portreeve block spiffe://partner.example --reason 'incident 4711'
  portreeve block --list";

/// Take a peer off the deny-list of a running sidecar
///
/// Names the SPIFFE ID or the trust domain as it was blocked. It prints the entry that is gone.
#[derive(Debug, clap::Args)]
#[command(after_help = UNBLOCK_AFTER_HELP)]
pub(super) struct UnblockArgs {
    /// The SPIFFE ID, or `spiffe://td`, as `block --list` shows it
    #[arg(value_name = "ID", value_parser = spiffe_id)]
    id: SpiffeId,
    #[command(flatten)]
    admin: AdminArgs,
    /// How it is printed: JSON is a list of the entry, and an empty one where it was not blocked
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
}

const UNBLOCK_AFTER_HELP: &str = "\
The sidecar is found by --admin or PORTREEVE_ADMIN, then by --config, then in /var/lib/portreeve.
Exit code: 0 unblocked, 1 it was not blocked, 2 no sidecar answers or it refuses

Examples:
  portreeve unblock spiffe://prod.example/web
  portreeve block --list && portreeve unblock spiffe://partner.example";

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let socket = args.admin.socket()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entries = match (args.id, args.reason) {
        (Some(id), Some(reason)) => {
            let for_seconds = args.span.map(|span| span.as_secs());
            let block = admin::Block { spiffe_id: id.to_string(), reason, for_seconds };
            let answer = runtime.block_on(client::post(&socket, "/block", &block))?;
            vec![read::<Denial>(answer)?]
        }
        (_, _) => read(runtime.block_on(client::get(&socket, "/blocked"))?)?,
    };
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&entries)?)?,
        Format::Pretty if entries.is_empty() => writeln!(out, "nobody is blocked")?,
        Format::Pretty => entries.iter().try_for_each(|entry| writeln!(out, "{}", words(entry)))?,
    }
    Ok(Exit::Good)
}

pub(super) fn unblock(args: UnblockArgs) -> anyhow::Result<Exit> {
    let socket = args.admin.socket()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let id = args.id.to_string();
    let asked = admin::Unblock { spiffe_id: id.clone() };
    let answer = runtime.block_on(client::post(&socket, "/unblock", &asked))?;
    let mut out = std::io::stdout().lock();
    let gone = read::<Option<Denial>>(answer)?;
    let exit = if gone.is_some() { Exit::Good } else { Exit::No };
    match (args.format, gone) {
        (Format::Json, gone) => {
            writeln!(out, "{}", serde_json::to_string(&Vec::from_iter(gone))?)?;
        }
        (Format::Pretty, Some(gone)) => writeln!(out, "no longer {}", words(&gone))?,
        (Format::Pretty, None) => {
            writeln!(out, "not blocked: {id}; `portreeve block --list` shows who is")?;
        }
    }
    Ok(exit)
}

fn read<T: serde::de::DeserializeOwned>(mut answer: serde_json::Value) -> anyhow::Result<T> {
    let blocked = answer.get_mut("blocked").map(serde_json::Value::take).unwrap_or_default();
    serde_json::from_value(blocked).context("the sidecar is of another version: its answer differs")
}

/// `blocked spiffe://td/web until … (its key leaked), since …`
fn words(entry: &Denial) -> String {
    let Denial { spiffe_id, reason, since, until } = entry;
    let until = until.map_or_else(|| "it is lifted".to_owned(), |until| until.to_string());
    format!("blocked {spiffe_id} until {until} ({}), since {since}", printable(reason))
}

fn spiffe_id(text: &str) -> Result<SpiffeId, String> {
    SpiffeId::parse(text).map_err(|error| error.to_string())
}

fn reason(text: &str) -> Result<String, String> {
    match text.trim().is_empty() || text.len() > MAX_REASON_BYTES {
        true => Err(format!("a reason has 1 to {MAX_REASON_BYTES} bytes, and not only spaces")),
        false => Ok(text.to_owned()),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as `90s`, `30m`, `2h` or `7d`, at most a year".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let span = Duration::from_secs(number.saturating_mul(seconds));
    if span.is_zero() || span > LONGEST { Err(wrong()) } else { Ok(span) }
}

#[cfg(test)]
mod tests {
    use portreeve_core::Timestamp;

    use super::*;

    #[test]
    fn a_span_has_a_unit_and_an_end() {
        for (text, seconds) in [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("7d", 604_800)] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "2", "2w", "0h", "-2h", "2 h", "367d", "99999999999999999999s", "2é"]
        {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_reason_says_something_and_has_an_end() {
        for text in ["its key leaked".to_owned(), "x".repeat(MAX_REASON_BYTES)] {
            assert_eq!(reason(&text), Ok(text.clone()));
        }
        for text in [String::new(), "  ".to_owned(), "x".repeat(MAX_REASON_BYTES + 1)] {
            let error = reason(&text).unwrap_err();
            assert!(error.contains("1 to 512 bytes"), "{error}");
        }
    }

    #[test]
    fn an_entry_is_one_line_whatever_its_reason_holds() {
        let at = Timestamp::from_unix_seconds;
        let (spiffe_id, reason) = ("spiffe://td/web".to_owned(), "a\nb\u{1b}[2J".to_owned());
        let entry = Denial { spiffe_id, reason, since: at(0), until: Some(at(60)) };
        assert_eq!(
            words(&entry),
            "blocked spiffe://td/web until 1970-01-01T00:01:00.000000Z (a\\u{a}b\\u{1b}[2J), \
             since 1970-01-01T00:00:00.000000Z"
        );
    }
}
