//! The engines that this thread has used, so that a decision neither builds nor shares one.

use std::cell::RefCell;

use regorus::Engine;

/// The active bundle and the one before or beside it; an older one is dropped.
const MAX_ENGINES: usize = 2;

thread_local! {
    static ENGINES: RefCell<Vec<(u64, Engine)>> = const { RefCell::new(Vec::new()) };
}

/// Takes the engine of a bundle out: if the evaluation panics, it is gone.
pub(super) fn take(bundle: u64) -> Option<Engine> {
    ENGINES.with_borrow_mut(|engines| {
        let index = engines.iter().position(|(id, _)| *id == bundle)?;
        Some(engines.swap_remove(index).1)
    })
}

/// Gives it back after a clean evaluation.
pub(super) fn put(bundle: u64, engine: Engine) {
    ENGINES.with_borrow_mut(|engines| {
        if engines.len() >= MAX_ENGINES
            && let Some(oldest) = engines.iter().enumerate().min_by_key(|(_, (id, _))| *id)
        {
            engines.swap_remove(oldest.0);
        }
        engines.push((bundle, engine));
    });
}
