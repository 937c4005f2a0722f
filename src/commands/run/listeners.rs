//! What the listeners of a configuration become: bound addresses, and gates with their routes.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::Context as _;
use arc_swap::ArcSwap;

use crate::audit::Log;
use crate::clock::Clock;
use crate::config::Config;
use crate::evaluation::Pool;
use crate::forward::{Routes, Upstreams};
use crate::http::{Callers, Gate, Ongoing, Routing};
use crate::identity::DenyListFile;
use crate::identity::jwt_bundles::JwtBundles;
use crate::listen::{self, Bound};
use crate::store::Store;
use crate::telemetry::Metrics;

pub(super) fn bind(config: &Config) -> anyhow::Result<Vec<(listen::Settings, Bound)>> {
    let bind = |settings: &listen::Settings| {
        let bound = listen::bind(settings).with_context(|| {
            format!("listener `{}` cannot have address {}", settings.name, settings.address)
        })?;
        Ok((settings.clone(), bound))
    };
    config.listeners.iter().map(bind).collect()
}

pub(super) fn gates(
    config: &Config,
    upstreams: &Upstreams,
    store: &Store,
    pool: &Pool,
    log: &Log,
    clock: &Clock,
    metrics: &Metrics,
    jwt_bundles: Option<&JwtBundles>,
    denied: &DenyListFile,
) -> anyhow::Result<Vec<Arc<Gate>>> {
    let gate = |settings: &listen::Settings| {
        Ok(Arc::new(Gate {
            listener: Arc::clone(&settings.name),
            mode: settings.mode,
            callers: Callers {
                settings: settings.callers.clone(),
                // Without them no token holds.
                authorities: jwt_bundles.map_or_else(Arc::default, |b| Arc::clone(b.authorities())),
                denied: denied.clone(),
            },
            routing: ArcSwap::from_pointee(routing(settings, upstreams, metrics)?),
            policy: store.clone(),
            pool: pool.clone(),
            log: log.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            open: AtomicUsize::new(0),
            ongoing: Ongoing::default(),
        }))
    };
    config.listeners.iter().map(gate).collect()
}

pub(super) fn routing(
    settings: &listen::Settings,
    upstreams: &Upstreams,
    metrics: &Metrics,
) -> anyhow::Result<Routing> {
    let routes = Routes::new(&settings.routes, upstreams)?;
    let names = settings.routes.iter().map(|route| &*route.name);
    let metrics = metrics.listener(&settings.name, settings.mode, names);
    Ok(Routing { routes, metrics })
}
