//! Connections that are open and do nothing, to weigh them.

use crate::caller::{self, Target};
use crate::say;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    caller: caller::Args,
    #[arg(long, default_value_t = 1_000)]
    connections: u32,
}

pub(crate) async fn hold(args: Args) -> anyhow::Result<()> {
    let target = Target::new(&args.caller).await?;
    let mut held = Vec::new();
    for _ in 0..args.connections {
        let mut connection = target.connect().await?;
        let status = connection.ask().await?;
        anyhow::ensure!(status == 200, "status {status}");
        held.push(connection);
    }
    say(&serde_json::json!({ "open": held.len() }))?;
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await??;
    Ok(())
}
