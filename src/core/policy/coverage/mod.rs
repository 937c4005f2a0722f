//! What the tests of a bundle reach: lines of Rego, policies and conditions of Cedar.
//!
//! The files, the bundle that was loaded from them and the names of the tests that count enter
//! [`measure`]; a [`Coverage`] leaves. The tests are run for it a second time, by the interpreter and
//! beside the decisions that judge them: how production decides neither shows in it nor changes by it.

mod cedar;
mod count;
mod lines;

use serde::{Deserialize, Serialize};

use super::cases::{self, Subject};
use super::{Bundle, Files};
pub use cedar::{Clause, ClauseCoverage, OperandCoverage, Outcomes, PolicyCoverage};
pub use count::Count;
pub use lines::LineCoverage;

/// What the tests of one bundle, or of several, reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Every served Rego module that holds something to evaluate, by path.
    pub rego: Vec<LineCoverage>,
    /// Every Cedar policy, by place.
    pub cedar: Vec<PolicyCoverage>,
}

impl Coverage {
    /// Lines of Rego.
    #[must_use]
    pub fn lines(&self) -> Count {
        self.rego.iter().map(LineCoverage::count).sum()
    }

    /// Policies satisfied and outcomes of conditions seen.
    #[must_use]
    pub fn outcomes(&self) -> Count {
        self.cedar.iter().map(PolicyCoverage::count).sum()
    }

    /// Both languages: each line and each outcome counts the same.
    #[must_use]
    pub fn total(&self) -> Count {
        [self.lines(), self.outcomes()].into_iter().sum()
    }

    /// Puts what another bundle's tests reached behind this.
    pub fn append(&mut self, mut other: Self) {
        self.rego.append(&mut other.rego);
        self.cedar.append(&mut other.cedar);
    }

    /// Every file that is named.
    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let rego = self.rego.iter_mut().map(|lines| &mut lines.file);
        rego.chain(self.cedar.iter_mut().map(|policy| &mut policy.file))
    }
}

/// Runs the tests whose names are selected and says what they reached.
///
/// # Errors
/// The policies cannot be loaded a second time.
pub fn measure(
    files: &Files,
    bundle: &Bundle,
    is_selected: &dyn Fn(&str) -> bool,
) -> Result<Coverage, String> {
    let (cedar_policies, rego_policies) = bundle.engines();
    let mut rego = rego_policies.map(|policies| policies.coverage(files)).transpose()?;
    let mut cedar = cedar_policies.map(|policies| policies.coverage(files));
    if let Some(rego) = &mut rego {
        rego.run_tests(files, is_selected);
    }
    for subject in cases::subjects(files, bundle, is_selected) {
        match subject {
            Subject::Request(request) => {
                rego.iter_mut().for_each(|rego| rego.decide(&request));
                cedar.iter_mut().for_each(|cedar| cedar.decide(&request));
            }
            Subject::Cedar(request, entities) => {
                cedar.iter_mut().for_each(|cedar| cedar.answer(&request, &entities));
            }
        }
    }
    Ok(Coverage {
        rego: rego.map(super::rego::CoverageRun::finish).unwrap_or_default(),
        cedar: cedar.map(super::cedar::CoverageRun::finish).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
