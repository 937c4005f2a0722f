//! The evidence that every way of evaluating a bundle equals its meaning.
//!
//! A loaded [`Bundle`] enters; inputs are made from what its policies mention, so that rules match, and
//! then changed: any value of a document becomes one of another kind. Each input is decided by the
//! meaning, which evaluates everything, and by every way that is faster; whole verdicts are compared.
//! Nothing here decides a request that anyone sent.

mod random;
mod recipe;
mod places;
mod flip;
mod words;
mod native;
mod fill;
mod inputs;
mod cedar;
mod ways;
mod evidence;
mod cases;
pub mod reference;
#[cfg(test)]
mod tests;

pub use cases::{Case, cases};
pub use evidence::{Difference, Evidence};
pub use flip::Kind;
pub(super) use recipe::{Place, Recipe, Recipes, Step, Test, Use};

use super::Bundle;
use crate::request::AccessRequest;
use inputs::{Generator, Input};
use ways::{Way, run};

/// Decides this many inputs in every way and by the meaning. Equal seeds give equal inputs.
#[must_use]
pub fn compare(bundle: &Bundle, seed: u64, inputs: usize) -> Evidence {
    let rego = bundle.rego();
    let document = |request: &AccessRequest| {
        rego.and_then(|policies| serde_json::to_value(policies.document(request)).ok())
    };
    let mut recipes = rego.map(super::rego::Policies::recipes).unwrap_or_default();
    if let Some((set, _)) = bundle.cedar_policy_set() {
        recipes.join(cedar::recipes(set));
    }
    let generator = Generator::new(recipes, &document, seed);
    let meaning = |input: &Input| match &input.document {
        Some(document) => Some(rego?.evaluate_whole(document.clone().into(), input.request.time)),
        None => Some(bundle.evaluate_whole(&input.request)),
    };
    let by_document = |input: &Input| match &input.document {
        Some(document) => {
            Some(rego?.evaluate_document(document.clone().into(), input.request.time))
        }
        // The document of a request says nothing of what another language decides on it.
        None if bundle.cedar_policy_set().is_some() => None,
        None => {
            let rego = rego?;
            Some(rego.evaluate_document(rego.document(&input.request), input.request.time))
        }
    };
    let by_request =
        |input: &Input| input.document.is_none().then(|| bundle.evaluate(&input.request));
    let ways = [
        Way { name: "document", decide: &by_document },
        Way { name: "request", decide: &by_request },
    ];
    run(&generator, &meaning, &ways, seed, 0..inputs)
}
