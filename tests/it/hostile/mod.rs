//! Bundles that somebody wrote to hurt whatever reads them: through `policy check`, and committed
//! into the repository of a sidecar that runs (`operations/hostile.rs`).
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![expect(clippy::too_many_lines, reason = "the corpus is lists of cases")]

mod cedar;
mod check;
pub(crate) mod corpus;
mod data;
mod limits;
mod rego;
mod worker;
