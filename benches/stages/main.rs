//! The stages of a request, each over and over, for callgrind and for the clock.
//!
//! `stages repeat STAGE N` prepares and then repeats a stage N times: what one costs is the difference
//! of two lengths, divided by theirs. `stages decide` stays and decides as often as it is told;
//! `stages load` loads a bundle once and says what that took;
//! `stages handshake` shakes hands, and `stages snapshot` prepares the trust of many domains. `benches/run` calls all of them. The
//! request is that of `benches/load`, with three headers or the twelve of a browser, unless a file
//! says another; a stage begins where the one before it ended.

mod request;
mod bundle;
mod repeated;
mod asked;
mod handshake;

use std::io::Write as _;
use std::path::PathBuf;

use clap::Parser as _;
use portreeve_core::policy::Outcome;
use repeated::Stage;

#[derive(Debug, clap::Parser)]
enum Command {
    /// Repeat one stage.
    Repeat {
        stage: Stage,
        count: u32,
        /// The twelve headers of a browser in place of three.
        #[arg(long)]
        browser: bool,
    },
    /// Decide by the bundle in a folder, as often as each line of standard input says.
    Decide {
        folder: PathBuf,
        /// The input document of the request.
        #[arg(long)]
        request: Option<PathBuf>,
        /// What the decision must be: a figure of another one would be of something else.
        #[arg(long, value_parser = outcome, default_value = "allow")]
        outcome: Outcome,
    },
    /// Load the bundle in a folder and print the time and the memory that it took.
    Load { folder: PathBuf },
    /// Shake hands over and over, client and server.
    Handshake {
        count: u32,
        /// How many trust domains both ends trust.
        #[arg(long, default_value_t = 1)]
        domains: u32,
        /// Plain rustls with webpki's verifiers in place of ours.
        #[arg(long)]
        plain: bool,
    },
    /// Print how many milliseconds it takes to prepare a snapshot of so many trust domains.
    Snapshot { domains: u32 },
    /// Print the whole input document of a request.
    Document {
        #[arg(long)]
        request: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    // `cargo bench` runs every bench with this one argument.
    if std::env::args().skip(1).eq(["--bench".to_owned()]) {
        return say("started by `benches/run`");
    }
    match Command::parse() {
        Command::Repeat { stage, count, browser } => repeated::run(stage, count, browser),
        Command::Decide { folder, request, outcome } => {
            asked::decide(&folder, &request::read(request.as_deref())?, outcome)
        }
        Command::Load { folder } => bundle::measure(&folder),
        Command::Handshake { count, domains, plain } => {
            let ends = handshake::Ends::new(domains)?;
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            runtime.block_on(async {
                if plain { ends.plain(count).await } else { ends.ours(count).await }
            })
        }
        Command::Snapshot { domains } => {
            say(&format!("{:.2}", handshake::snapshot_millis(domains)?))
        }
        Command::Document { request } => {
            say(&request::read(request.as_deref())?.to_document().to_string())
        }
    }
}

fn outcome(word: &str) -> Result<Outcome, String> {
    match word {
        "allow" => Ok(Outcome::Allow),
        "deny" => Ok(Outcome::Deny),
        _ => Err("`allow` or `deny`".to_owned()),
    }
}

/// One line on standard output.
fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}
