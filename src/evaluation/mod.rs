//! Where a decision runs.
//!
//! A request enters as facts and leaves with its decision. Ordinary bundles are decided inline, on the
//! serving thread: what loading them refused makes that safe. A bundle that may call builtins without
//! a bound ([`Bundle::needs_pool`]) is decided on a thread of the [`Pool`], which can be given up when
//! it overruns. Nothing here forwards, records or answers.

mod pool;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use portreeve_core::policy::{Bundle, Decision, decide};
use portreeve_core::request::AccessRequest;

pub use pool::{Pool, PoolStatus, Settings};

impl Pool {
    /// Decides one request, inline or in the pool as the bundle asks.
    pub async fn decide(&self, bundle: &Arc<Bundle>, access: &AccessRequest) -> Decision {
        if bundle.needs_pool() {
            self.decide_elsewhere(bundle, access).await
        } else {
            decide(bundle, access)
        }
    }
}
