//! What the marks in the heads of rules say while the rules are evaluated.
//!
//! `internal.coverage_held(n, g, value)` is the value, and says that definition `n` of rule `g` held;
//! `internal.coverage_entered(g)` is false, and says that rule `g`, which has a default, was evaluated:
//! where none of its definitions held since it was last, the default was needed.

use std::cell::RefCell;
use std::collections::BTreeSet;

use regorus::{Engine, Value};

pub(super) const HELD: &str = "internal.coverage_held";
pub(super) const ENTERED: &str = "internal.coverage_entered";

thread_local! {
    /// Of the run that this thread measures: its engines all work here.
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// Shared by all engines of a run.
#[derive(Debug)]
pub(super) struct Marks(());

#[derive(Debug, Default)]
struct Seen {
    held: BTreeSet<u32>,
    /// Rules of which a definition held in the evaluation that is under way.
    settled: BTreeSet<u32>,
    defaulted: BTreeSet<u32>,
}

impl Marks {
    /// A run begins: nothing is seen yet.
    pub(super) fn new() -> Self {
        SEEN.set(Seen::default());
        Self(())
    }

    /// Puts the two functions into a new engine.
    pub(super) fn install(engine: &mut Engine) {
        let held = |arguments: Vec<Value>| {
            let [definition, rule, value] = arguments.as_slice() else {
                return Ok(Value::Undefined);
            };
            if let (Some(definition), Some(rule)) = (number(definition), number(rule)) {
                SEEN.with_borrow_mut(|seen| {
                    seen.held.insert(definition);
                    seen.settled.insert(rule);
                });
            }
            Ok(value.clone())
        };
        let entered = |arguments: Vec<Value>| {
            if let Some(rule) = arguments.first().and_then(number) {
                SEEN.with_borrow_mut(|seen| {
                    if !seen.settled.remove(&rule) {
                        seen.defaulted.insert(rule);
                    }
                });
            }
            Ok(Value::from(false))
        };
        // They fail only where the names are taken; no other extension is called so.
        let _ = engine.add_extension(HELD.to_owned(), 3, Box::new(held));
        let _ = engine.add_extension(ENTERED.to_owned(), 1, Box::new(entered));
    }

    /// An evaluation begins: what an earlier one left unfinished says nothing about it.
    pub(super) fn begin(&self) {
        SEEN.with_borrow_mut(|seen| seen.settled.clear());
    }

    pub(super) fn held(&self, definition: u32) -> bool {
        SEEN.with_borrow(|seen| seen.held.contains(&definition))
    }

    pub(super) fn defaulted(&self, rule: u32) -> bool {
        SEEN.with_borrow(|seen| seen.defaulted.contains(&rule))
    }
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64().ok()?).ok()
}
