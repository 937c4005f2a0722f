//! PEM as Go reads it: a block starts on a line of its own, text before it is skipped.

use super::super::BuiltinError;
use super::encoding::from_base64;
use super::invalid;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

#[derive(Debug)]
pub(in super::super) struct Block<'a> {
    pub(in super::super) label: &'a str,
    pub(in super::super) bytes: Vec<u8>,
    /// What follows the line that ends the block.
    pub(in super::super) rest: &'a str,
}

pub(super) fn has_pem(text: &str) -> bool {
    text.starts_with("-----BEGIN")
}

/// The next block; none where no block starts. A block that starts and is not well-formed is an
/// error, where Go goes on to look for the next.
pub(in super::super) fn next_block(text: &str) -> Result<Option<Block<'_>>, BuiltinError> {
    let Some(after) = after_begin(text) else { return Ok(None) };
    read(after).map(Some).ok_or_else(|| invalid("a PEM block is malformed"))
}

fn after_begin(text: &str) -> Option<&str> {
    text.strip_prefix(BEGIN).or_else(|| text.split_once("\n-----BEGIN ").map(|(_, after)| after))
}

fn read(after: &str) -> Option<Block<'_>> {
    let (line, body) = after.split_once('\n')?;
    let label = line.trim_end().strip_suffix(DASHES)?;
    let (body, end) = match body.strip_prefix("-----END ") {
        Some(end) => ("", end),
        None => body.split_once("\n-----END ")?,
    };
    let after_end = end.strip_prefix(label)?.strip_prefix(DASHES)?;
    let rest = after_end.trim_start_matches([' ', '\t', '\r']);
    let rest = match rest.strip_prefix('\n') {
        Some(rest) => rest,
        None if rest.is_empty() => rest,
        None => after_end,
    };
    let packed: String = without_headers(body).split([' ', '\t']).collect();
    Some(Block { label, bytes: from_base64(&packed).ok()?, rest })
}

/// Headers are lines with a colon, which base64 never has, before an empty line.
fn without_headers(body: &str) -> &str {
    let mut rest = body;
    while let Some((line, after)) = rest.split_once('\n') {
        if !line.contains(':') {
            break;
        }
        rest = after;
    }
    rest
}
