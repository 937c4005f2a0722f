//! Every sample peer against every sample request, decided as the sidecar decides.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::cases::without_credentials;
use super::super::{Bundle, Decision, Outcome, PolicyRef, decide};
use super::{Sample, Samples};
use crate::request::AccessRequest;

/// A decision takes ten microseconds to a millisecond, and a table of more nobody reads.
pub const MAX_CELLS: usize = 100_000;
/// Of one cell: a bundle may forbid in a thousand ways at once.
const MAX_POLICIES: usize = 20;
/// Errors quote requests; different ones are few.
const MAX_ERRORS: usize = 1_000;
const MAX_ERROR_CHARACTERS: usize = 300;

/// The decisions, row by row: all requests of the first peer, then of the second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    pub cells: Vec<Cell>,
    /// What the cells' numbers stand for.
    pub policies: Vec<PolicyRef>,
    pub errors: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub outcome: Outcome,
    pub reason: String,
    /// Places in [`Matrix::policies`], of those that decided.
    pub policies: Vec<usize>,
    /// A place in [`Matrix::errors`].
    pub error: Option<usize>,
}

/// Decides every peer's every request. Whoever calls keeps them to [`MAX_CELLS`]; what is above it is
/// not decided.
#[must_use]
pub fn matrix(bundle: &Bundle, samples: &Samples) -> Matrix {
    let mut tables = Tables::default();
    let pairs = samples
        .peers
        .iter()
        .flat_map(|peer| samples.requests.iter().map(move |request| (peer, request)));
    for (peer, request) in pairs.take(MAX_CELLS) {
        let cell = tables.cell(bundle, peer, request);
        tables.matrix.cells.push(cell);
    }
    tables.matrix
}

#[derive(Default)]
struct Tables {
    matrix: Matrix,
    policies: HashMap<PolicyRef, usize>,
    errors: HashMap<String, usize>,
}

impl Tables {
    fn cell(&mut self, bundle: &Bundle, peer: &Sample, request: &Sample) -> Cell {
        match AccessRequest::described(&Value::Object(peer.asks(request))) {
            Ok(request) => self.decided(&decide(bundle, &request), &request),
            Err(error) => {
                let text = format!("this is no request: {error}");
                let reason = "no_request".to_owned();
                Cell {
                    outcome: Outcome::Error,
                    reason,
                    policies: Vec::new(),
                    error: self.error(text),
                }
            }
        }
    }

    fn decided(&mut self, decision: &Decision, request: &AccessRequest) -> Cell {
        let policies = decision.policies.iter().take(MAX_POLICIES);
        let policies = policies.map(|policy| self.policy(policy)).collect();
        let error = decision.errors.first().map(|e| without_credentials(&e.text, request));
        Cell {
            outcome: decision.outcome,
            reason: decision.reason.as_str().to_owned(),
            policies,
            error: error.and_then(|text| self.error(text)),
        }
    }

    fn policy(&mut self, policy: &PolicyRef) -> usize {
        if let Some(known) = self.policies.get(policy) {
            return *known;
        }
        let number = self.matrix.policies.len();
        self.matrix.policies.push(policy.clone());
        self.policies.insert(policy.clone(), number);
        number
    }

    fn error(&mut self, text: String) -> Option<usize> {
        let text: String = text.chars().take(MAX_ERROR_CHARACTERS).collect();
        if let Some(known) = self.errors.get(&text) {
            return Some(*known);
        }
        let number = self.matrix.errors.len();
        if number >= MAX_ERRORS {
            return None;
        }
        self.matrix.errors.push(text.clone());
        self.errors.insert(text, number);
        Some(number)
    }
}
