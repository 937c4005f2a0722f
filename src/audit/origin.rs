//! What the log itself says in a record: an id of the moment, and the process that wrote it.

use std::sync::Arc;

use portreeve_core::Timestamp;
use portreeve_core::record::{DecisionId, Instance};

/// A fresh id of this moment, from the thread's own generator.
#[must_use]
pub fn decision_id(time: Timestamp) -> DecisionId {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    DecisionId::new(time, random)
}

/// This process, as its records name it.
#[must_use]
pub fn this_instance(service: Arc<str>) -> Instance {
    let read = |path| std::fs::read_to_string(path).ok().map(|text| Arc::from(text.trim()));
    Instance {
        service,
        host: read("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".into()),
        pid: std::process::id(),
        boot_id: read("/proc/sys/kernel/random/boot_id"),
        version: env!("CARGO_PKG_VERSION").into(),
    }
}
