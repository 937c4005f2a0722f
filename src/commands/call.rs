//! `portreeve call`.

use super::Exit;

/// Make one mTLS request with our SVID and check the server by its SPIFFE ID.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args {} = args;
    anyhow::bail!("not built yet")
}
