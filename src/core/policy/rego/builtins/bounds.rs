//! What the bounds of the builtins are, in words, for their page.

use super::arguments::{MAX_ELEMENTS, MAX_STEPS, MAX_TEXT_BYTES};
use super::{bounded, collections, formats, globs, numbers, paths, re2, regexes, times};

/// Of one builtin; empty where its cost grows with the length of its arguments only.
pub(super) fn of(name: &str) -> String {
    let found = bounds().into_iter().find(|(names, _)| names.contains(&name));
    found.map(|(_, bound)| bound).unwrap_or_default()
}

/// The builtins that a bound is said of.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    bounds().into_iter().flat_map(|(names, _)| names.iter().copied())
}

type Bounds = Vec<(&'static [&'static str], String)>;

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn bounds() -> Bounds {
    let text = format!("a text of {MAX_TEXT_BYTES} bytes");
    let steps = format!("{MAX_STEPS} comparisons");
    let document = format!("{text}; {} digits in a row", bounded::MAX_DIGITS);
    let pattern = format!(
        "a pattern of {} bytes that compiles to {}; matches within {} bytes",
        re2::MAX_PATTERN_BYTES,
        re2::MAX_PROGRAM_BYTES,
        regexes::MAX_MATCHED_BYTES
    );
    vec![
        (
            &["concat", "replace", "split", "strings.split_n", "uri.parse", "uri.is_valid"],
            text.clone(),
        ),
        (&["sprintf"], format!("{text}; widths and precisions of {}", formats::MAX_WIDTH)),
        (&["strings.replace_n"], format!("{text}; {steps}")),
        (&["indexof_n"], format!("{steps}; {MAX_ELEMENTS} results")),
        (
            &[
                "trim",
                "trim_left",
                "trim_right",
                "strings.any_prefix_match",
                "strings.any_suffix_match",
                "object.subset",
                "regex.globs_match",
            ],
            steps.clone(),
        ),
        (
            &["numbers.range", "numbers.range_step", "net.cidr_expand", "net.cidr_merge"],
            format!("{MAX_ELEMENTS} elements"),
        ),
        (&["net.cidr_contains_matches"], format!("{steps}; {MAX_ELEMENTS} matches")),
        (
            &["time.parse_ns", "time.format"],
            format!("a layout of {} bytes, all ASCII", times::MAX_LAYOUT_BYTES),
        ),
        (&["bits.lsh"], format!("a shift by {} bits", numbers::MAX_SHIFT)),
        (
            &["to_number", "units.parse", "units.parse_bytes"],
            format!(
                "a number of {} bytes, an exponent of {}",
                numbers::MAX_NUMBER_BYTES,
                numbers::MAX_EXPONENT
            ),
        ),
        (&["format_int"], format!("a number of {} bits", 2 * numbers::MAX_SHIFT)),
        (
            &["product"],
            format!("{} factors of {} bits", numbers::MAX_FACTORS, 2 * numbers::MAX_SHIFT),
        ),
        (
            &["graph.reachable_paths"],
            format!(
                "{MAX_ELEMENTS} paths of {} nodes; {MAX_STEPS} steps",
                collections::MAX_PATH_LENGTH
            ),
        ),
        (
            &["json.patch"],
            format!(
                "{} operations, {} of them `copy`",
                collections::MAX_PATCH_OPERATIONS,
                collections::MAX_PATCH_COPIES
            ),
        ),
        (&["json.marshal", "yaml.marshal"], text.clone()),
        (&["walk"], format!("{} values", bounded::MAX_JOINED_ELEMENTS)),
        (&["array.concat"], format!("{} elements", bounded::MAX_JOINED_ELEMENTS)),
        (
            &["json.marshal_with_options"],
            format!("{text}; an indent or prefix of {} bytes", bounded::MAX_INDENT_BYTES),
        ),
        (&["json.unmarshal", "json.is_valid"], document.clone()),
        (&["yaml.unmarshal", "yaml.is_valid"], format!("{document}; no aliases")),
        (&["json.filter", "json.remove"], format!("paths of {} parts", paths::MAX_PATH_PARTS)),
        (
            &["base64.decode", "base64.is_valid", "urlquery.encode", "urlquery.encode_object"],
            text.clone(),
        ),
        (&["regex.match", "regex.is_valid", "regex.template_match"], pattern.clone()),
        (
            &["regex.find_n", "regex.find_all_string_submatch_n", "regex.split"],
            format!("{pattern}; {MAX_ELEMENTS} results"),
        ),
        (&["regex.replace"], format!("{pattern}; {text}")),
        (
            &["glob.match"],
            format!(
                "a glob of {} bytes, a text of {}",
                globs::MAX_GLOB_BYTES,
                globs::MAX_MATCHED_BYTES
            ),
        ),
    ]
}
