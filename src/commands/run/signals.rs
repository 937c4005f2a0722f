//! Signals and systemd: what a running sidecar is told from outside.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;
use sd_notify::NotifyState;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Drained, Sidecar, read, start};
use crate::audit::Log;
use crate::commands::Exit;
use crate::config::Config;
use crate::identity;

/// How often readiness is looked at to tell systemd.
const WATCH: Duration = Duration::from_millis(200);
/// What a disk may take for the end of the log when we are told to end at once.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// Starts the sidecar and keeps it until SIGTERM or SIGINT.
pub(super) async fn keep(path: PathBuf, config: Config) -> anyhow::Result<Exit> {
    let mut term = listen_to(SignalKind::terminate())?;
    let mut interrupt = listen_to(SignalKind::interrupt())?;
    let mut hangup = listen_to(SignalKind::hangup())?;
    // Caught, so that a limit on the size of files is an error of the log's write, not our death.
    let _over_size = listen_to(SignalKind::from_raw(Signal::XFSZ.as_raw()))?;
    let identity_timeout = config.identity_timeout;
    let sidecar = start(config).await?;
    let overdue = overdue(sidecar.identity().updates(), identity_timeout);
    tokio::pin!(overdue);
    let mut exit = Exit::Good;
    let mut watch = tokio::time::interval(WATCH);
    let mut systemd = Systemd::new();
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => systemd.around(|| reload(&sidecar, &path)),
            timeout = &mut overdue => {
                tracing::error!(?timeout, "there is no SVID after the identity's timeout");
                exit = Exit::CouldNotRun;
                break;
            }
            now = watch.tick() => systemd.look(&sidecar, now),
        }
    }
    notify(&[NotifyState::Stopping]);
    let timeout = sidecar.drain_timeout();
    tracing::info!(?timeout, "draining; a second signal ends at once");
    let log = sidecar.log().clone();
    let drained = tokio::select! {
        drained = sidecar.drain(Instant::now() + timeout) => drained,
        _ = term.recv() => return Ok(end_at_once(&log).await),
        _ = interrupt.recv() => return Ok(end_at_once(&log).await),
    };
    match drained {
        Drained::Finished => tracing::info!("drained"),
        Drained::Cut(open) => tracing::warn!(connections = open, "cut at the deadline"),
    }
    Ok(exit)
}

/// Ends with the timeout if there was no SVID until then; never if there was one, or no timeout is set.
async fn overdue(
    mut updates: watch::Receiver<identity::State>,
    timeout: Option<Duration>,
) -> Duration {
    let Some(timeout) = timeout else { return std::future::pending().await };
    let first = updates.wait_for(|state| matches!(state, identity::State::Ready(_)));
    match tokio::time::timeout(timeout, first).await {
        Err(_) => timeout,
        Ok(_) => std::future::pending().await,
    }
}

/// What was in flight is lost to its callers, and not to the log.
async fn end_at_once(log: &Log) -> Exit {
    tracing::warn!("ended at once: what was in flight is lost to its callers");
    if tokio::time::timeout(LAST_WRITE, log.close()).await.is_err() {
        tracing::error!("the log could not be written to its end");
    }
    Exit::Good
}

fn listen_to(kind: SignalKind) -> anyhow::Result<unix::Signal> {
    signal(kind).context("failed to listen to signals")
}

/// Reads the file again: all of it, or nothing.
fn reload(sidecar: &Sidecar, path: &std::path::Path) {
    sidecar.store().refresh();
    let outcome =
        read(path).and_then(|config| sidecar.reload(config).map_err(|error| format!("{error:#}")));
    match outcome {
        Ok(()) => tracing::info!("configuration reloaded"),
        Err(text) => sidecar.reload_failed(text.trim_end()),
    }
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

    /// Tells of a reload; before the first readiness there is nothing to tell, and nothing is ready
    /// after it.
    fn around(&self, reload: impl FnOnce()) {
        if self.ready
            && let Ok(now) = NotifyState::monotonic_usec_now()
        {
            notify(&[NotifyState::Reloading, now]);
        }
        reload();
        if self.ready {
            notify(&[NotifyState::Ready]);
        }
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
