//! One cheap pass over Cedar text before any parser sees it: the parser, the validator and the drop of
//! a syntax tree all recurse without a guard, and a stack overflow aborts the process.

/// Brackets and `if`s that may be open at once. Serving and loading threads have 8 MiB of stack, where
/// the parser of an unoptimised build overflows between 100 and 200, and of an optimised one at 600.
const MAX_NESTING: usize = 64;
/// `&&` and `||` of one statement: each is a level of its syntax tree, and evaluating 200 of them can
/// meet Cedar's own limit.
const MAX_LOGICAL: usize = 100;
/// `+`, `-`, `*`, `.` and `[` behind an operand, between two of those.
const MAX_CHAIN: usize = 50;
/// One policy of people is below 2 KiB.
const MAX_STATEMENT_BYTES: usize = 64 << 10;

/// Where one policy stands, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its first annotation, or `permit` or `forbid`.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What would be dangerous to parse, and where, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excess {
    pub(super) offset: usize,
    pub(super) message: String,
}

/// Finds the statements of a text, outside strings and comments. Broken text gives broken statements:
/// the parser says what is wrong with them.
pub(super) fn statements(text: &str) -> Result<Vec<Statement>, Excess> {
    let mut scan = Scan::default();
    for (offset, token) in tokens(text) {
        scan.token(token, offset)?;
    }
    if let Some(start) = scan.start {
        scan.found.push(Statement { start, end: text.len() });
    }
    Ok(scan.found)
}

/// Words, strings with their quotes, comments, `&&`, `||` and single characters, each with its offset.
pub(in crate::policy) fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let offset = text.len() - rest.len();
        let length = match first {
            '"' => string_length(rest),
            '/' if rest.starts_with("//") => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '&' | '|' if rest.starts_with("&&") || rest.starts_with("||") => 2,
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = tail;
        Some((offset, token))
    })
}

#[derive(Default)]
struct Scan {
    found: Vec<Statement>,
    start: Option<usize>,
    brackets: usize,
    ifs: usize,
    logical: usize,
    chain: usize,
    /// The last token ends an operand: a bracket behind it takes something out of that.
    after_operand: bool,
}

impl Scan {
    fn token(&mut self, token: &str, offset: usize) -> Result<(), Excess> {
        let excess = |message: String| Err(Excess { offset, message });
        if is_space(token) {
            return Ok(());
        }
        let start = *self.start.get_or_insert(offset);
        match token {
            "(" | "[" | "{" => self.brackets += 1,
            ")" | "]" | "}" => self.brackets = self.brackets.saturating_sub(1),
            // `else if` nests without a bracket.
            "if" => self.ifs += 1,
            "&&" | "||" => (self.logical, self.chain) = (self.logical + 1, 0),
            "." | "+" | "-" | "*" => self.chain += 1,
            _ => {}
        }
        if token == "[" && self.after_operand {
            self.chain += 1;
        }
        self.after_operand =
            token.starts_with(|c| is_word(c) || matches!(c, ')' | ']' | '}' | '"'));
        if token == ";" {
            let found = std::mem::take(&mut self.found);
            *self = Self { found, ..Self::default() };
            self.found.push(Statement { start, end: offset + 1 });
        }
        if self.brackets + self.ifs > MAX_NESTING {
            return excess(format!("brackets and `if`s nest deeper than {MAX_NESTING}"));
        }
        if self.logical > MAX_LOGICAL {
            let hint = "use a set, or more policies";
            return excess(format!("one policy has more than {MAX_LOGICAL} `&&` and `||`: {hint}"));
        }
        if self.chain > MAX_CHAIN {
            return excess(format!(
                "one expression has more than {MAX_CHAIN} of `+`, `-`, `*`, `.`, `[`"
            ));
        }
        if offset - start > MAX_STATEMENT_BYTES {
            return excess(format!("one statement is longer than {MAX_STATEMENT_BYTES} bytes"));
        }
        Ok(())
    }
}

/// Whether a token is a comment or white space.
pub(super) fn is_space(token: &str) -> bool {
    token.starts_with("//") || token.trim_start().is_empty()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The length of a string with both its quotes; to the end of the text where it is not closed.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = statements(text).unwrap();
        let texts: Vec<_> = found.iter().map(|s| text.get(s.start..s.end).unwrap()).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn statements_are_found_outside_strings_and_comments() {
        check("// permit();\n permit(a);  forbid(b) ;", &["permit(a);", "forbid(b) ;"]);
        check("@id(\"a;b\\\";\") permit(a);", &["@id(\"a;b\\\";\") permit(a);"]);
        check("permit(a) // ;\n;", &["permit(a) // ;\n;"]);
        check("permit(a)", &["permit(a)"]);
        check(" // nothing \n", &[]);
    }

    #[test]
    fn deep_nesting_is_refused_at_its_place() {
        let deep = |depth: usize| {
            format!("permit(a) when {{{}true{}}};", "(".repeat(depth), ")".repeat(depth))
        };
        assert!(statements(&deep(63)).is_ok());
        let excess = statements(&deep(64)).unwrap_err();
        assert_eq!(excess.offset, "permit(a) when {".len() + 63);
        // In strings and comments brackets are text.
        assert!(statements(&format!("permit(a) when {{ \"{}\" }};", "(".repeat(100))).is_ok());
        assert!(statements(&format!("// {}\npermit(a);", "(".repeat(100))).is_ok());
        // Two policies do not add up.
        assert!(statements(&format!("{}{}", deep(63), deep(63))).is_ok());
    }

    #[test]
    fn chains_without_brackets_are_refused_too() {
        for (link, most) in [
            ("if true then true else ", MAX_NESTING - 1),
            ("1 + ", MAX_CHAIN),
            ("x.f(y == z).", MAX_CHAIN / 2),
            ("[1][\"a\"] == ", MAX_CHAIN),
            ("true && ", MAX_LOGICAL),
            ("context.path == \"/\" || ", MAX_LOGICAL),
        ] {
            let text = |count| format!("permit(a) when {{ {}true }};", link.repeat(count));
            assert!(statements(&text(most)).is_ok(), "{link}");
            assert!(statements(&text(most + 1)).is_err(), "{link}");
        }
        let long = format!("permit(a) when {{ \"{}\" == 1 }};", "x".repeat(MAX_STATEMENT_BYTES));
        assert!(statements(&long).is_err());
    }
}
