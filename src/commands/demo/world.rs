//! What runs during a demo: the trust domain, the service and the sidecar, in this process.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use tokio::time::Instant;

use super::calls::{Calls, Place};
use super::folder::Folder;
use super::language::Language;
use crate::admin::PartState;
use crate::commands::run::{self, Sidecar};
use crate::config;
use crate::dev::{Entry, SampleService, Selector, Settings, WorkloadApi};
use crate::telemetry;

const TRUST_DOMAIN: &str = "demo.test";
/// Hints; who does not pick gets the first.
const WORKLOADS: [&str; 3] = ["web", "orders", "batch"];
/// A first fetch and check of ten policies, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How often something that is about to be is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// A running demo.
pub(super) struct World {
    pub(super) folder: Folder,
    pub(super) language: Language,
    pub(super) service: SampleService,
    pub(super) sidecar: Sidecar,
    pub(super) first_commit: String,
    address: SocketAddr,
    api: WorkloadApi,
}

/// What the page tells of a running demo.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) address: SocketAddr,
    pub(super) trust_domain: &'static str,
    pub(super) workloads: &'static [&'static str],
    pub(super) language: &'static str,
    pub(super) commit: String,
    /// The demo's directory.
    pub(super) directory: String,
}

impl World {
    /// Makes everything and waits until the sidecar accepts calls.
    pub(super) async fn start(folder: Folder, language: Language) -> anyhow::Result<Self> {
        let first_commit = folder.make_repository(language)?;
        folder.write_config()?;
        // Variables of the environment would make it another sidecar than the file tells.
        let config = config::load(&folder.config(), &|_| None)?;
        let events = std::fs::File::create(folder.events()).context("failed to make the events")?;
        telemetry::init_to(&config.telemetry, events)?;
        let api = WorkloadApi::start(trust_domain(&folder)?)?;
        let service = SampleService::start(&folder.app_socket())
            .context("failed to start the sample service")?;
        let sidecar = Box::pin(run::start(config)).await?;
        wait_until_ready(&sidecar).await?;
        let Some(address) = sidecar.addresses().first().copied() else {
            bail!("the sidecar has no listener");
        };
        Ok(Self { folder, language, service, sidecar, first_commit, address, api })
    }

    pub(super) fn facts(&self) -> Facts {
        Facts {
            address: self.address,
            trust_domain: TRUST_DOMAIN,
            workloads: &WORKLOADS,
            language: self.language.name(),
            commit: self.first_commit.clone(),
            directory: self.folder.path().display().to_string(),
        }
    }

    /// The five calls, as a shell takes them.
    pub(super) fn calls(&self, program: &str) -> Calls {
        Calls::new(&Place {
            program,
            endpoint: &self.api.endpoint(),
            address: self.address,
            directory: &self.folder.path().display().to_string(),
            language: self.language,
        })
    }

    /// Ends all of it; what is on the disk stays until the folder is finished.
    pub(super) async fn end(self, drain: Duration) -> Folder {
        self.sidecar.drain(Instant::now() + drain).await;
        self.api.shutdown().await;
        drop(self.service);
        let _ = std::fs::remove_file(self.folder.app_socket());
        self.folder
    }
}

/// Everything on this machine runs as one user, so that user is offered every identity by its hint.
fn trust_domain(folder: &Folder) -> anyhow::Result<Settings> {
    let user = Selector::Uid(rustix::process::geteuid().as_raw());
    let mut settings = Settings::new(TrustDomain::parse(TRUST_DOMAIN)?, folder.api_socket());
    for name in WORKLOADS {
        let id = SpiffeId::parse(&workload(name))?;
        settings.entries.push(Entry { id, selector: user, hint: Some(name.to_owned()) });
    }
    Ok(settings)
}

/// The SPIFFE ID of a workload, as the example policies name it.
pub(super) fn workload(name: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/ns/shop/sa/{name}")
}

async fn wait_until_ready(sidecar: &Sidecar) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let readiness = sidecar.report().readiness();
        if readiness.is_ready() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let missing = readiness.parts.iter().filter(|part| part.state != PartState::Ready);
            let missing: Vec<_> =
                missing.map(|part| format!("{}: {}", part.name, part.text)).collect();
            let within = READY_WITHIN.as_secs();
            bail!("the sidecar was not ready within {within} s: {}", missing.join("; "));
        }
        tokio::time::sleep(LOOK).await;
    }
}
