//! The engine of a large policy: its modules split in two, what the entry rules need first.
//!
//! For every rule that a definition refers to, regorus looks through the modules, rule by rule, for
//! the one that holds it (0.14.1, `get_rule_module`): behind thousands of entry definitions that takes
//! longer than the decision. So each file is parsed twice, once with its entry definitions blanked out
//! and once with everything else, and the first kind stands before the second. Lines and columns hold.

use std::collections::BTreeSet;

use regorus::Engine;
use regorus::unstable::Module;

use super::super::Findings;
use super::evaluate::TIME_LIMIT;
use super::load::{new_engine, prepare};
use super::paths::RulePath;
use super::rewrite::Sources;
use super::rules::Rules;

/// With fewer entry definitions the search costs less than 1 kinstr.
pub(super) const MIN_DEFINITIONS: usize = 64;

/// The two halves of the modules in an engine of their own; `None` where that gains nothing.
pub(super) fn split(
    engine: &mut Engine,
    rules: &Rules,
    entry: &[RulePath],
    sources: &Sources,
    min_definitions: usize,
) -> Option<(Engine, Rules)> {
    let of_entry = |path: &RulePath| rules.at(path).iter();
    if entry.iter().flat_map(of_entry).count() < min_definitions {
        return None;
    }
    let starts: BTreeSet<(&str, u32)> = entry
        .iter()
        .flat_map(of_entry)
        .map(|definition| (definition.file.as_str(), definition.rule.span().start))
        .collect();
    let mut halves = (new_engine(TIME_LIMIT), Vec::new());
    for module in engine.get_modules().iter() {
        let file = module.package.span.source.file();
        let text = sources.text(file)?;
        let is_entry = |start: u32| starts.contains(&(file.as_str(), start));
        add(&mut halves.0, file, blanked(text, module, is_entry)?)?;
        halves.1.push((file.clone(), blanked(text, module, |start| !is_entry(start))?));
    }
    let (mut split, entries) = halves;
    for (file, text) in entries {
        add(&mut split, &file, text)?;
    }
    split.add_data(engine.get_data()).ok()?;
    prepare(&mut split, &mut Findings::default())?;
    let rules = Rules::of(split.get_modules());
    Some((split, rules))
}

/// A half without a rule is left out.
fn add(engine: &mut Engine, file: &str, half: Half) -> Option<()> {
    if half.rules > 0 {
        engine.add_policy(file.to_owned(), half.text).ok()?;
    }
    Some(())
}

struct Half {
    text: String,
    rules: usize,
}

/// The text of a module without the rules that begin at these places.
fn blanked(text: &str, module: &Module, is_out: impl Fn(u32) -> bool) -> Option<Half> {
    let mut starts: Vec<u32> = module.policy.iter().map(|rule| rule.span().start).collect();
    starts.sort_unstable();
    let Some(first) = starts.first() else {
        return Some(Half { text: text.to_owned(), rules: usize::from(!is_out(0)) });
    };
    let first = usize::try_from(*first).ok()?;
    let mut half = Half { text: text.get(..first)?.to_owned(), rules: 0 };
    for (index, start) in starts.iter().enumerate() {
        // A rule's own span stops before a closing quote.
        let end =
            starts.get(index.checked_add(1)?).map_or(Ok(text.len()), |end| usize::try_from(*end));
        let rule = text.get(usize::try_from(*start).ok()?..end.ok()?)?;
        if is_out(*start) {
            half.text.extend(rule.bytes().map(blank));
        } else {
            half.text.push_str(rule);
            half.rules = half.rules.checked_add(1)?;
        }
    }
    Some(half)
}

/// As wide as what it stands for: regorus counts bytes, and tabs as four of them.
fn blank(byte: u8) -> char {
    match byte {
        b'\n' | b'\t' | b'\r' => char::from(byte),
        _ => ' ',
    }
}
