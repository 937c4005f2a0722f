//! The results of suite `rego` in numbers: by folder, by the cause of what is skipped, and as shares.

use std::collections::BTreeMap;
use std::io::{self, Write};

use portreeve_core::policy::cases::{CaseOutcome, CaseResult, Summary};

/// What the second share leaves out: GraphQL, template strings, and what is refused on purpose.
const LEFT_OUT_FOLDERS: [&str; 2] = ["graphql", "stringinterpolation"];
const LEFT_OUT_CAUSE: &str = "refused on purpose";

/// Prints the tables and the shares.
pub(super) fn print(out: &mut impl Write, results: &[CaseResult]) -> io::Result<()> {
    let mut folders: BTreeMap<&str, Vec<&CaseResult>> = BTreeMap::new();
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    for result in results {
        folders.entry(folder(result)).or_default().push(result);
        if let Some(cause) = cause(result) {
            *causes.entry(cause).or_default() += 1;
        }
    }
    writeln!(out, "{:>7} {:>7} {:>7}  folder", "passed", "failed", "skipped")?;
    for (folder, results) in folders {
        let Summary { passed, failed, skipped } = Summary::of(results);
        writeln!(out, "{passed:>7} {failed:>7} {skipped:>7}  {folder}")?;
    }
    for (cause, count) in causes {
        writeln!(out, "{count:>23}  skipped: {cause}")?;
    }
    let inside = results.iter().filter(|result| !is_left_out(result));
    writeln!(out, "{} of all cases pass", share(Summary::of(results)))?;
    writeln!(
        out,
        "{} pass outside GraphQL, template strings and what is refused on purpose",
        share(Summary::of(inside))
    )
}

/// The folder stands first in a name, see `ComplianceCase`.
fn folder(result: &CaseResult) -> &str {
    result.name.split_once('/').map_or(".", |(folder, _)| folder)
}

/// A reason starts with its cause.
fn cause(result: &CaseResult) -> Option<&str> {
    let CaseOutcome::Skipped { reason } = &result.outcome else { return None };
    Some(reason.split_once(':').map_or(reason.as_str(), |(cause, _)| cause))
}

fn is_left_out(result: &CaseResult) -> bool {
    LEFT_OUT_FOLDERS.contains(&folder(result)) || cause(result) == Some(LEFT_OUT_CAUSE)
}

/// In tenths of a percent, cut off rather than rounded up.
fn share(summary: Summary) -> String {
    let total = summary.total().max(1);
    let tenths = summary.passed.saturating_mul(1000).checked_div(total).unwrap_or_default();
    format!("{}.{} % ({} of {})", tenths / 10, tenths % 10, summary.passed, summary.total())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_share_leaves_out_what_is_refused_but_no_other_failure() {
        let skipped = |reason: &str| CaseOutcome::Skipped { reason: reason.to_owned() };
        let results = [
            CaseResult::new("f", 0, "graphql/a: x", CaseOutcome::Passed),
            CaseResult::new("f", 0, "a/b: x", CaseOutcome::Passed),
            CaseResult::new("f", 0, "a/b: y", skipped("refused on purpose: `http.send`")),
            CaseResult::new("f", 0, "a/c: z", skipped("missing: it is")),
            CaseResult::new("f", 0, "a/c: w", CaseOutcome::errored("panicked")),
        ];
        let mut out = Vec::new();
        print(&mut out, &results).unwrap();
        let text = String::from_utf8(out).unwrap();
        for line in [
            "      1       1       2  a\n",
            "      1  skipped: refused on purpose\n",
            "40.0 % (2 of 5) of all cases pass\n",
            "33.3 % (1 of 3) pass outside GraphQL",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
