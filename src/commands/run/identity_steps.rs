//! What time does to our identity: each step from good to late, expired or not to be judged is told
//! once, in the log lines, the records and the metrics.

use std::sync::Arc;
use std::time::Duration;

use super::report::Live;
use crate::audit::Event;
use crate::clock::ClockSuspect;
use crate::identity::{Health, Unavailable};

/// Readiness is computed when it is asked for; a record may come so much later.
const LOOK: Duration = Duration::from_millis(250);

/// Looks at the identity until the sidecar ends.
pub(super) async fn watch(live: Arc<Live>) {
    let mut ticks = tokio::time::interval(LOOK);
    let mut told = "";
    loop {
        ticks.tick().await;
        if let (Some(at), Some(newest)) =
            (live.identity.source().last_answer, live.identity.newest())
        {
            live.metrics.identity_updated(at, newest.svid.not_after);
        }
        if let Some(bundles) = &live.jwt_bundles {
            live.metrics.jwt_bundles_updated(bundles.state().received);
        }
        let health = live.identity.health();
        if health.reason() == told {
            continue;
        }
        if told == ClockSuspect::REASON {
            live.log.event(&Event::ClockSet);
            tracing::info!("the clock is no longer suspect");
        }
        tell(&live, &health);
        told = health.reason();
    }
}

fn tell(live: &Live, health: &Health) {
    match health {
        Health::Good => tracing::info!("our identity is good"),
        Health::Degraded { reason, text } => {
            live.log.event(&Event::IdentityDegraded { reason, cause: text });
            tracing::warn!(reason, "our identity needs a look: {text}");
        }
        Health::Unavailable(Unavailable::Expired(at)) => {
            let cause = format!("it ended at {at}");
            live.log.event(&Event::IdentityLost { reason: "identity.expired", cause: &cause });
            tracing::error!(not_after = %at, "our SVID expired: no new connections");
        }
        Health::Unavailable(Unavailable::Clock(suspect)) => {
            let ClockSuspect { earliest, evidence, .. } = suspect;
            let evidence = evidence.as_str();
            live.log.event(&Event::ClockSuspect { earliest: *earliest, evidence });
            tracing::error!("no new connections: {suspect}");
        }
        // The source tells of the first, and the feed of the second.
        Health::Unavailable(Unavailable::Waiting(_) | Unavailable::Withdrawn(_)) => return,
    }
    live.metrics.identity_step(health.reason());
}
