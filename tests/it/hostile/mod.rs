//! Bundles that somebody wrote to hurt whatever reads them: through `policy check`, and committed
//! into the repository of a sidecar that runs.

mod cedar;
mod check;
mod corpus;
mod data;
mod rego;
