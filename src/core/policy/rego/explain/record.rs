//! The engine that is watched: the same data, the modules with what watches them, and what it says.

use std::cell::RefCell;
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use regorus::{Engine, PolicyLengthConfig, Value};

use super::super::load;
use super::edits::{AT, IS, SAW};
use super::watch::Watch;

/// Of one entry rule; people wait for it.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// What one entry rule may say: a loop over large data says much of the same.
#[cfg(not(test))]
const MAX_EVENTS: usize = 200_000;
#[cfg(test)]
const MAX_EVENTS: usize = 5_000;
/// A line was loaded with 8 KiB, and what watches puts tens of characters around an expression.
const MAX_COLUMNS: u32 = 1 << 20;
/// The same of a module, which was loaded with 1 MiB.
const MAX_FILE_BYTES: usize = 64 << 20;
/// A module was loaded with 20,000.
const MAX_LINES: usize = 1 << 20;

/// What the interpreter said, by the number of a site.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Begins(usize),
    Is(usize, Value),
}

#[derive(Debug, Default)]
struct Events {
    events: Vec<Event>,
    is_cut: bool,
}

thread_local! {
    static EVENTS: RefCell<Events> = RefCell::default();
}

/// An engine whose extensions record.
#[derive(Debug)]
pub(super) struct Recorder {
    engine: Engine,
}

/// One evaluation of a rule.
#[derive(Debug)]
pub(super) struct Recorded {
    /// `None` after an error.
    pub(super) value: Option<Value>,
    pub(super) events: Vec<Event>,
    /// Events beyond the limit are missing.
    pub(super) is_cut: bool,
}

impl Recorder {
    /// Loads a bundle's modules with what watches them; a module that does not parse so stays as it
    /// was and is not watched.
    pub(super) fn load(plain: &mut Engine, watch: &Watch, input: Value) -> Option<Self> {
        let mut engine = load::new_engine(TIME_LIMIT);
        engine.set_policy_length_config(PolicyLengthConfig {
            max_col: NonZeroU32::new(MAX_COLUMNS)?,
            max_file_bytes: NonZeroUsize::new(MAX_FILE_BYTES)?,
            max_lines: NonZeroUsize::new(MAX_LINES)?,
        });
        extend(&mut engine)?;
        load::set_time_limit(plain, TIME_LIMIT);
        let data = plain.get_data();
        for module in plain.get_modules() {
            let source = &module.package.span.source;
            let (file, text) = (source.file(), source.contents());
            let mut add = |text: &str| {
                let added = engine.add_policy(file.clone(), text.to_owned());
                added.is_ok()
            };
            if !watch.texts.get(module).is_some_and(|watched| add(watched)) && !add(text) {
                return None;
            }
        }
        engine.add_data(data).ok()?;
        engine.set_input(input);
        Some(Self { engine })
    }

    /// Evaluates a rule by its path.
    pub(super) fn evaluate(&mut self, rule: &str) -> Recorded {
        EVENTS.take();
        let value = evaluate(&mut self.engine, rule);
        drop(self.engine.take_prints());
        let Events { events, is_cut } = EVENTS.take();
        Recorded { value, events, is_cut }
    }
}

/// The value of a rule; `None` after an error or a panic.
pub(super) fn evaluate(engine: &mut Engine, rule: &str) -> Option<Value> {
    catch_unwind(AssertUnwindSafe(|| engine.eval_rule(rule.to_owned()).ok())).ok().flatten()
}

/// None of these can raise an error.
fn extend(engine: &mut Engine) -> Option<()> {
    let at = |arguments: Vec<Value>| {
        let site = arguments.into_iter().next().unwrap_or(Value::Undefined);
        record(number(&site).map(Event::Begins));
        Ok(site)
    };
    let is = |arguments: Vec<Value>| {
        seen(arguments);
        Ok(Value::from(true))
    };
    engine.add_extension(AT.to_owned(), 1, Box::new(at)).ok()?;
    engine.add_extension(SAW.to_owned(), 2, Box::new(|arguments| Ok(seen(arguments)))).ok()?;
    engine.add_extension(IS.to_owned(), 2, Box::new(is)).ok()
}

fn seen(arguments: Vec<Value>) -> Value {
    let mut arguments = arguments.into_iter();
    let site = arguments.next().and_then(|site| number(&site));
    let value = arguments.next().unwrap_or(Value::Undefined);
    record(site.map(|site| Event::Is(site, value.clone())));
    value
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().ok().and_then(|number| usize::try_from(number).ok())
}

fn record(event: Option<Event>) {
    EVENTS.with_borrow_mut(|events| {
        if events.events.len() < MAX_EVENTS {
            events.events.extend(event);
        } else {
            events.is_cut = true;
        }
    });
}
