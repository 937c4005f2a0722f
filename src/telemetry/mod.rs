//! What the sidecar says about itself: log lines for people and metrics for machines.

#[derive(Clone, Debug)]
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
