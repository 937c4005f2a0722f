//! The target: needless encodings are undone, whatever has two readings is refused.

use http::uri::PathAndQuery;
use http::{Method, Uri};

use super::query;
use super::refusal::Refusal;
use super::relaxed::Relaxed;

/// The path in canonical form and the query as it came, with the relaxations that the path needs; the
/// common case moves the bytes unchanged.
pub(super) fn target(method: &Method, uri: Uri) -> Result<(PathAndQuery, Relaxed), Refusal> {
    if uri.scheme_str().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
        return Err(Refusal::TargetForm);
    }
    let target = uri.into_parts().path_and_query.ok_or(Refusal::TargetForm)?;
    let path = target.path();
    if path == "*" && method == Method::OPTIONS {
        return Ok((target, Relaxed::default()));
    }
    // `https://a#x` leaves a target without bytes, which says that it is `/` and is written as nothing.
    if target.as_str() == "/" {
        return Ok((PathAndQuery::from_static("/"), Relaxed::default()));
    }
    if !path.starts_with('/') {
        return Err(Refusal::TargetForm);
    }
    if let Some(query) = target.query() {
        query::check(query)?;
    }
    let glance = Glance::at(path)?;
    let rewritten = if glance.has_percent { decode_unreserved(path)? } else { None };
    let needed = if glance.has_percent || glance.is_suspect {
        check_segments(rewritten.as_deref().unwrap_or(path))?
    } else {
        Relaxed::default()
    };
    let path = match rewritten {
        Some(path) => path,
        None if target.as_str().starts_with('/') => return Ok((target, needed)),
        // `http://a?x` has the path `/` without writing it.
        None => path.to_owned(),
    };
    let whole = match target.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    PathAndQuery::try_from(whole).map(|target| (target, needed)).map_err(|_| Refusal::PathByte)
}

/// What one look at every byte tells; of most paths nothing is left to do.
struct Glance {
    has_percent: bool,
    /// A segment is empty, or begins with `.` or `;`.
    is_suspect: bool,
}

impl Glance {
    /// Refuses what RFC 3986 §3.3 has not in a path; `%` is looked at by [`decode_unreserved`].
    fn at(path: &str) -> Result<Self, Refusal> {
        let (mut seen, mut is_suspect, mut before) = (0, 0, 0);
        for b in path.bytes() {
            let kind = *KINDS.get(usize::from(b)).unwrap_or(&ILLEGAL);
            seen |= kind;
            // A suspect right after a slash.
            is_suspect |= (before & SLASH) & (kind >> SUSPECT_SHIFT);
            before = kind;
        }
        if seen & ILLEGAL != 0 {
            return Err(Refusal::PathByte);
        }
        Ok(Self { has_percent: seen & PERCENT != 0, is_suspect: is_suspect != 0 })
    }
}

const SLASH: u8 = 1;
const PERCENT: u8 = 2;
const ILLEGAL: u8 = 4;
/// At the beginning of a segment it may make it empty or a dot segment.
const SUSPECT: u8 = 8;
/// Brings [`SUSPECT`] to the place of [`SLASH`].
const SUSPECT_SHIFT: u32 = 3;

static KINDS: [u8; 256] = kinds();

#[expect(clippy::indexing_slicing, reason = "runs when it is compiled")]
const fn kinds() -> [u8; 256] {
    let mut kinds = [ILLEGAL; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        kinds[byte as usize] = match byte {
            b'/' => SLASH | SUSPECT,
            b'.' | b';' => SUSPECT,
            b'%' => PERCENT,
            // From `$` to `:` stand `$%&'()*+,-./`, the digits and `:`.
            b'$'..=b':' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'=' | b'@' | b'_' | b'~' => 0,
            _ => ILLEGAL,
        };
        byte += 1;
    }
    kinds
}

/// Looks at each segment of a path in canonical form, and between encoded slashes too.
fn check_segments(path: &str) -> Result<Relaxed, Refusal> {
    let mut needed = Relaxed::default();
    if path == "/" {
        return Ok(needed);
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    // One trailing slash is a path of its own, as RFC 3986 has it: `/a/` is not `/a`.
    let path = path.strip_suffix('/').unwrap_or(path);
    for (index, segment) in path.split('/').enumerate() {
        match segment_name(segment) {
            // `//a` is a host to whoever takes the target for a reference (CVE-2026-26205).
            "" if index == 0 || !segment.is_empty() => return Err(Refusal::EmptySegment),
            "" => needed.empty_segments = true,
            "." | ".." => return Err(Refusal::DotSegment),
            _ => {}
        }
        if segment.contains("%2F") {
            needed.encoded_slashes = true;
            // What a server makes of it that decodes first must be one path too.
            let is_plain = |part| !matches!(segment_name(part), "" | "." | "..");
            if !segment.split("%2F").all(is_plain) {
                return Err(Refusal::EncodedSlash);
            }
        }
    }
    Ok(needed)
}

/// A segment without parameters: `..;x` is a dot segment to servers that cut them off, and so is
/// `..%3Bx` to those that decode first.
fn segment_name(segment: &str) -> &str {
    let name = segment.split(';').next().unwrap_or(segment);
    name.split("%3B").next().unwrap_or(name)
}

/// Decodes the unreserved characters (RFC 3986 §2.3) and writes hex in upper case; `None` where
/// nothing changes. What would read differently once decoded is refused, but `%2F`.
fn decode_unreserved(path: &str) -> Result<Option<String>, Refusal> {
    let mut changes = false;
    let mut text = Utf8::default();
    for (plain, escape) in escapes(path) {
        text.plain(plain)?;
        let Some(escape) = escape else { break };
        let byte = byte_of(escape)?;
        text.byte(byte)?;
        match byte {
            b'\\' => return Err(Refusal::EncodedSlash),
            b'%' => return Err(Refusal::PercentEncoding),
            0..=0x1f | 0x7f => return Err(Refusal::PathByte),
            _ => {}
        }
        changes |= is_unreserved(byte) || escape.bytes().any(|b| b.is_ascii_lowercase());
    }
    text.end()?;
    if !changes {
        return Ok(None);
    }
    let mut out = String::with_capacity(path.len());
    for (plain, escape) in escapes(path) {
        out.push_str(plain);
        let Some(escape) = escape else { break };
        let byte = byte_of(escape)?;
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&escape.to_ascii_uppercase());
        }
    }
    Ok(Some(out))
}

/// The text before each `%` with the two bytes after it, which may be fewer at the end; then the rest.
fn escapes(path: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some((plain, encoded)) = text.split_once('%') else { return Some((text, None)) };
        let (digits, after) = encoded.split_at_checked(2).unwrap_or((encoded, ""));
        rest = Some(after);
        Some((plain, Some(digits)))
    })
}

fn byte_of(digits: &str) -> Result<u8, Refusal> {
    // `from_str_radix` takes a sign, an encoding has none.
    if digits.len() != 2 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Refusal::PercentEncoding);
    }
    u8::from_str_radix(digits, 16).map_err(|_| Refusal::PercentEncoding)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a path is UTF-8 once decoded: overlong forms are second forms of `.` and `/`.
#[derive(Default)]
struct Utf8 {
    /// The bytes of a character that is not complete, and how many there are.
    begun: [u8; 4],
    count: usize,
}

impl Utf8 {
    fn plain(&self, text: &str) -> Result<(), Refusal> {
        if text.is_empty() { Ok(()) } else { self.end() }
    }

    fn byte(&mut self, byte: u8) -> Result<(), Refusal> {
        let place = self.begun.get_mut(self.count).ok_or(Refusal::PercentEncoding)?;
        *place = byte;
        self.count += 1;
        match std::str::from_utf8(self.begun.get(..self.count).unwrap_or_default()) {
            Ok(_) => self.count = 0,
            Err(error) if error.error_len().is_none() => {}
            Err(_) => return Err(Refusal::PercentEncoding),
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Refusal> {
        if self.count == 0 { Ok(()) } else { Err(Refusal::PercentEncoding) }
    }
}

#[cfg(test)]
mod tests;
