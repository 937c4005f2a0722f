//! Cedar as its own formatter writes it, with the widths of upstream's command.
//!
//! The formatter recurses without a guard, so the scan before the parser runs first. It checks its
//! result by itself, but not that of templates, nor the comments: that is done here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cedar_policy_formatter::{Config, policies_str_to_pretty};

use crate::policy::{Findings, cedar};

const LAYOUT: Config = Config { line_width: 80, indent_width: 2 };
/// The second pass joins what the first has moved.
const MAX_PASSES: usize = 4;

/// The policies as they should be written; `None` after a finding.
pub(super) fn format(file: &str, content: &str, findings: &mut Findings) -> Option<String> {
    if !cedar::parses(file, content, findings) {
        return None;
    }
    let words = words(content);
    if words.0.is_empty() {
        return Some(content.to_owned());
    }
    let mut before = content.to_owned();
    for _ in 0..MAX_PASSES {
        let after = pass(file, &before, findings)?;
        if after == before {
            return Some(after);
        }
        if self::words(&after) != words {
            findings.error(
                file,
                0,
                0,
                "the file is left alone: formatted, it would lose something",
            );
            return None;
        }
        before = after;
    }
    findings.error(file, 0, 0, "the file is left alone: it would be formatted anew each time");
    None
}

fn pass(file: &str, content: &str, findings: &mut Findings) -> Option<String> {
    let formatted =
        catch_unwind(AssertUnwindSafe(|| policies_str_to_pretty(content, &LAYOUT).ok()));
    if let Ok(Some(formatted)) = formatted {
        return Some(formatted);
    }
    findings.error(file, 0, 0, "the file is left alone: Cedar's formatter cannot write it");
    None
}

/// What a text says, and its comments, both in order. A comma in front of a closing bracket says
/// nothing.
fn words(content: &str) -> (Vec<&str>, Vec<&str>) {
    let tokens = cedar::tokens(content).map(|(_, token)| token.trim());
    let (comments, mut words): (Vec<_>, Vec<_>) =
        tokens.filter(|token| !token.is_empty()).partition(|token| token.starts_with("//"));
    let followed = words.iter().skip(1).copied().chain([""]).map(str::to_owned);
    let closes: Vec<bool> = followed.map(|next| matches!(next.as_str(), ")" | "]" | "}")).collect();
    let mut closes = closes.into_iter();
    words.retain(|word| !(closes.next().unwrap_or_default() && *word == ","));
    (words, comments)
}
