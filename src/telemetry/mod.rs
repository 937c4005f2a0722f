//! What the sidecar says about itself: log lines for people and metrics for machines.
//!
//! Events go to standard error; standard output belongs to results and records. Metrics carry only
//! labels from the configuration or from closed sets, so that no caller can make a new series.

mod duration;
mod exposition;
mod metrics;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

pub use duration::DurationHistogram;
pub use metrics::{ConnectionState, ListenerMetrics, Metrics, OpenConnection};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A `tracing` filter such as `info` or `portreeve::store=debug`.
    pub level: String,
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

/// Why events cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("`{level}` is not a log level")]
    Level { level: String, source: LevelError },
    #[error("events are written by somebody else already")]
    Taken { source: tracing_subscriber::util::TryInitError },
}

/// What is wrong with a filter.
#[derive(Debug, thiserror::Error)]
pub enum LevelError {
    #[error("it is empty")]
    Empty,
    #[error("the levels are `off`, `error`, `warn`, `info`, `debug` and `trace`")]
    Word,
    #[error(transparent)]
    Filter(#[from] tracing_subscriber::filter::ParseError),
}

/// Whether a text is a `tracing` filter.
///
/// # Errors
/// It is not.
pub fn check_level(level: &str) -> Result<(), LevelError> {
    filter(level).map(drop)
}

/// Writes events to standard error from here on. `RUST_LOG` is not read: the configuration is the one
/// place that says what is written.
///
/// # Errors
/// The level is not a filter, or this was called before.
pub fn init(settings: &Settings) -> Result<(), InitError> {
    start(settings, io::stderr, io::IsTerminal::is_terminal(&io::stderr()))
}

/// Writes events to a file instead, where standard error belongs to a person.
///
/// # Errors
/// As [`init`].
pub fn init_to(settings: &Settings, file: File) -> Result<(), InitError> {
    start(settings, Mutex::new(file), false)
}

fn start<W>(settings: &Settings, writer: W, colour: bool) -> Result<(), InitError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    use tracing_subscriber::util::SubscriberInitExt as _;

    let filter = filter(&settings.level)
        .map_err(|source| InitError::Level { level: settings.level.clone(), source })?;
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match settings.format {
        Format::Text => events.with_ansi(colour).finish().try_init(),
        Format::Json => events.json().flatten_event(true).finish().try_init(),
    }
    .map_err(|source| InitError::Taken { source })?;
    tell_panics_by_place();
    Ok(())
}

/// A panic's message may quote a request or a policy's data: its place is enough to find it.
fn tell_panics_by_place() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "a panic");
    }));
}

fn filter(level: &str) -> Result<EnvFilter, LevelError> {
    if level.trim().is_empty() {
        return Err(LevelError::Empty);
    }
    // A single word that is no level would be taken for the name of a module and silence the rest.
    if !level.contains(['=', ',', ':', '[']) {
        level.parse::<tracing_subscriber::filter::LevelFilter>().map_err(|_| LevelError::Word)?;
    }
    Ok(EnvFilter::builder().parse(level)?)
}
