//! The text of the file as a message may repeat it.

/// Characters of the file's own text that a message repeats.
const MAX_QUOTED_CHARS: usize = 80;

/// The file's own text as a message may repeat it: short, and without bytes that act on a terminal.
pub(super) fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(MAX_QUOTED_CHARS).map(printable).collect();
    if text.chars().nth(MAX_QUOTED_CHARS).is_some() {
        out.push('…');
    }
    out
}

fn printable(c: char) -> char {
    // Bidirectional overrides reorder what a reader sees.
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || reorders { '\u{fffd}' } else { c }
}

pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}
