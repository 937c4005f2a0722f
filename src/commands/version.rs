//! `portreeve version`.

use std::io::Write as _;

use serde_json::{Value, json};

use super::{Exit, Format};
use crate::config;

/// Print the version.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let facts = facts();
    let mut out = std::io::stdout().lock();
    if args.json || args.format == Format::Json {
        writeln!(out, "{facts}")?;
        return Ok(Exit::Good);
    }
    for (name, value) in facts.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        writeln!(out, "{name:<14} {value}")?;
    }
    Ok(Exit::Good)
}

/// Only what the binary knows of itself.
fn facts() -> Value {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    let target = format!("{}-{}-{libc}", std::env::consts::ARCH, std::env::consts::OS);
    json!({
        "portreeve": env!("CARGO_PKG_VERSION"),
        "target": target,
        "rust": concat!(env!("CARGO_PKG_RUST_VERSION"), " or later"),
        "crypto": "aws-lc-rs",
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "config_version": config::VERSION,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_package_and_of_the_file_format() {
        let facts = facts();
        assert_eq!(facts["portreeve"], env!("CARGO_PKG_VERSION"));
        assert_eq!(facts["config_version"], 1);
        // The name of the provider that TLS really uses.
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let provider = format!("{:?}", provider.secure_random);
        assert!(provider.to_lowercase().contains("awslcrs"), "{provider}");
    }
}
