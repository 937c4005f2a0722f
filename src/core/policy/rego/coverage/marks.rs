//! What the marks in the heads of rules say while the rules are evaluated.
//!
//! `internal.coverage_held(n, g, value)` is the value, and says that definition `n` of rule `g` held;
//! `internal.coverage_entered(g)` is false, and says that rule `g`, which has a default, was evaluated:
//! where none of its definitions held since it was last, the default was needed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regorus::{Engine, Value};

pub(super) const HELD: &str = "internal.coverage_held";
pub(super) const ENTERED: &str = "internal.coverage_entered";

/// Shared by all engines of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    held: BTreeSet<u32>,
    /// Rules of which a definition held in the evaluation that is under way.
    settled: BTreeSet<u32>,
    defaulted: BTreeSet<u32>,
}

impl Marks {
    /// Puts the two functions into a new engine.
    pub(super) fn install(&self, engine: &mut Engine) {
        let marks = self.clone();
        let held = move |arguments: Vec<Value>| {
            let [definition, rule, value] = arguments.as_slice() else {
                return Ok(Value::Undefined);
            };
            if let (Some(definition), Some(rule)) = (number(definition), number(rule)) {
                let mut seen = marks.seen();
                seen.held.insert(definition);
                seen.settled.insert(rule);
            }
            Ok(value.clone())
        };
        let marks = self.clone();
        let entered = move |arguments: Vec<Value>| {
            if let Some(rule) = arguments.first().and_then(number) {
                let mut seen = marks.seen();
                if !seen.settled.remove(&rule) {
                    seen.defaulted.insert(rule);
                }
            }
            Ok(Value::from(false))
        };
        // They fail only where the names are taken; no other extension is called so.
        let _ = engine.add_extension(HELD.to_owned(), 3, Box::new(held));
        let _ = engine.add_extension(ENTERED.to_owned(), 1, Box::new(entered));
    }

    /// An evaluation begins: what an earlier one left unfinished says nothing about it.
    pub(super) fn begin(&self) {
        self.seen().settled.clear();
    }

    pub(super) fn held(&self, definition: u32) -> bool {
        self.seen().held.contains(&definition)
    }

    pub(super) fn defaulted(&self, rule: u32) -> bool {
        self.seen().defaulted.contains(&rule)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // What a panic interrupted is an insertion into a set.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64().ok()?).ok()
}
