//! The text of a module as tokens, and its comments apart from them.

/// What a token is; its text says the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    /// A string, a raw string or a template string, whole.
    Text,
    Mark,
    End,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// In bytes.
    pub(super) start: usize,
    /// From 1.
    pub(super) row: u32,
    /// The first of its line.
    pub(super) is_first: bool,
}

impl Token<'_> {
    pub(super) const fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// From `#` to the end of the line, without blanks at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comment<'a> {
    pub(super) row: u32,
    pub(super) text: &'a str,
}

/// Takes a text apart. What is no token of the language becomes a mark, for the parser to refuse.
pub(super) fn read(source: &str) -> (Vec<Token<'_>>, Vec<Comment<'_>>) {
    let mut tokens = Vec::new();
    let mut comments = Vec::new();
    let mut rest = source;
    let mut row = 1;
    let mut is_first = true;
    while let Some(next) = rest.chars().next() {
        let (kind, length) = match next {
            '\n' => {
                row += 1;
                is_first = true;
                rest = skip(rest, 1);
                continue;
            }
            c if c.is_whitespace() || c == '\u{feff}' => {
                rest = skip(rest, c.len_utf8());
                continue;
            }
            '#' => {
                let length = rest.find('\n').unwrap_or(rest.len());
                let (text, tail) = split(rest, length);
                comments.push(Comment { row, text: text.trim_end() });
                rest = tail;
                continue;
            }
            c => token(rest, c),
        };
        let (text, tail) = split(rest, length);
        tokens.push(Token { kind, text, start: source.len() - rest.len(), row, is_first });
        is_first = false;
        row += lines_in(text);
        rest = tail;
    }
    (tokens, comments)
}

/// How many lines end in a text.
pub(super) fn lines_in(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX)
}

fn token(rest: &str, first: char) -> (Kind, usize) {
    const LONG_MARKS: [&str; 5] = [":=", "==", "!=", "<=", ">="];
    let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    match first {
        '"' | '`' => (Kind::Text, string_length(rest, first)),
        '$' if rest.starts_with("$\"") || rest.starts_with("$`") => {
            (Kind::Text, template_length(rest))
        }
        c if c.is_ascii_digit() => (Kind::Number, number_length(rest)),
        c if is_word(c) => (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
        c => match LONG_MARKS.iter().any(|mark| rest.starts_with(mark)) {
            true => (Kind::Mark, 2),
            false => (Kind::Mark, c.len_utf8()),
        },
    }
}

fn string_length(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if quote == '"' => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A template holds expressions, which hold strings and templates of their own.
fn template_length(rest: &str) -> usize {
    let quote = rest.chars().nth(1).unwrap_or('"');
    let mut at = 2;
    while let Some(c) = rest.get(at..).and_then(|tail| tail.chars().next()) {
        at += match c {
            '\\' => 1 + rest.get(at + 1..).and_then(|r| r.chars().next()).map_or(0, char::len_utf8),
            '{' => expression_length(rest.get(at..).unwrap_or_default()),
            c if c == quote => return at + 1,
            c => c.len_utf8(),
        };
    }
    rest.len()
}

/// The length of a template's expression with its braces.
pub(super) fn expression_length(rest: &str) -> usize {
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..) {
        let Some(c) = tail.chars().next() else { break };
        at += match c {
            '"' | '`' => string_length(tail, c),
            '$' if tail.starts_with("$\"") || tail.starts_with("$`") => template_length(tail),
            '#' => tail.find('\n').unwrap_or(tail.len()),
            c => c.len_utf8(),
        };
        match c {
            '{' => open += 1,
            '}' if open <= 1 => return at,
            '}' => open -= 1,
            _ => {}
        }
    }
    rest.len()
}

fn number_length(rest: &str) -> usize {
    let digits = |from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len())
    };
    let byte = |at: usize| rest.as_bytes().get(at).copied().unwrap_or_default();
    let mut at = digits(0);
    if byte(at) == b'.' && byte(at + 1).is_ascii_digit() {
        at += 1 + digits(at + 1);
    }
    if matches!(byte(at), b'e' | b'E') {
        let sign = usize::from(matches!(byte(at + 1), b'+' | b'-'));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    at
}

fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

fn skip(text: &str, bytes: usize) -> &str {
    split(text, bytes).1
}
