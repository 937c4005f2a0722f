//! Signals and systemd: what a running sidecar is told from outside.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::{Drained, Sidecar, read, start};
use crate::commands::Exit;
use crate::config::Config;

/// How often readiness is looked at to tell systemd.
const WATCH: Duration = Duration::from_millis(200);

/// Starts the sidecar and keeps it until SIGTERM or SIGINT.
pub(super) async fn keep(path: PathBuf, config: Config) -> anyhow::Result<Exit> {
    let mut term = listen_to(SignalKind::terminate())?;
    let mut interrupt = listen_to(SignalKind::interrupt())?;
    let mut hangup = listen_to(SignalKind::hangup())?;
    let sidecar = start(config).await?;
    let mut watch = tokio::time::interval(WATCH);
    let mut systemd = Systemd::new();
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => reload(&sidecar, &path),
            now = watch.tick() => systemd.look(&sidecar, now),
        }
    }
    notify(&[NotifyState::Stopping]);
    let timeout = sidecar.drain_timeout();
    tracing::info!(?timeout, "draining; a second signal ends at once");
    let drained = tokio::select! {
        drained = sidecar.drain(Instant::now() + timeout) => drained,
        _ = term.recv() => return Ok(ended_at_once()),
        _ = interrupt.recv() => return Ok(ended_at_once()),
    };
    match drained {
        Drained::Finished => tracing::info!("drained"),
        Drained::Cut(open) => tracing::warn!(connections = open, "cut at the deadline"),
    }
    Ok(Exit::Good)
}

fn ended_at_once() -> Exit {
    tracing::warn!("ended at once: what was in flight is lost to its callers");
    Exit::Good
}

fn listen_to(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("failed to listen to signals")
}

/// Reads the file again: all of it, or nothing.
fn reload(sidecar: &Sidecar, path: &std::path::Path) {
    let monotonic = NotifyState::monotonic_usec_now();
    if let Ok(now) = monotonic {
        notify(&[NotifyState::Reloading, now]);
    }
    sidecar.store().refresh();
    let outcome =
        read(path).and_then(|config| sidecar.reload(config).map_err(|error| format!("{error:#}")));
    match outcome {
        Ok(()) => tracing::info!("configuration reloaded"),
        Err(text) => sidecar.reload_failed(text.trim_end()),
    }
    notify(&[NotifyState::Ready]);
}

/// systemd's readiness and watchdog messages; silent where nobody asked for them.
struct Systemd {
    ready: bool,
    watchdog: Option<Duration>,
    last: Option<Instant>,
}

impl Systemd {
    fn new() -> Self {
        // Half of what systemd waits, as its documentation advises.
        let watchdog = sd_notify::watchdog_enabled().map(|interval| interval / 2);
        Self { ready: false, watchdog, last: None }
    }

    fn look(&mut self, sidecar: &Sidecar, now: Instant) {
        if !self.ready && sidecar.report().readiness().is_ready() {
            self.ready = true;
            notify(&[NotifyState::Ready]);
        }
        let Some(interval) = self.watchdog else { return };
        if self.last.is_none_or(|last| now.duration_since(last) >= interval) {
            self.last = Some(now);
            notify(&[NotifyState::Watchdog]);
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
