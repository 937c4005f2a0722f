//! The trust domain of the scene: the embedded Workload API, and the same SVID as PEM for nginx.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portreeve::dev::{Entry, Settings, WorkloadApi};
use portreeve_core::spiffe::{SpiffeId, TrustDomain};

use crate::{CALLER_ID, SERVICE_ID, TRUST_DOMAIN, say};

pub(crate) async fn serve(folder: &Path) -> anyhow::Result<()> {
    let service = SpiffeId::parse(SERVICE_ID)?;
    let socket = folder.join("agent.sock");
    let mut settings = Settings::new(TrustDomain::parse(TRUST_DOMAIN)?, socket);
    settings.entries = vec![Entry::any(service.clone()), Entry::any(SpiffeId::parse(CALLER_ID)?)];
    let api = WorkloadApi::start(settings)?;
    let issued = api.issue(&service)?;
    fs::write(folder.join("chain.pem"), certificates(issued.chain()))?;
    fs::write(folder.join("key.pem"), issued.key_pem())?;
    fs::write(folder.join("bundle.pem"), certificates(&api.bundle()))?;
    say(&serde_json::json!({ "socket": api.socket() }))?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}

fn certificates<C: AsRef<[u8]>>(chain: &[C]) -> String {
    let mut pem = String::new();
    for certificate in chain {
        let text = STANDARD.encode(certificate);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let lines = lines.join("\n");
        let _ = writeln!(pem, "-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----");
    }
    pem
}
