//! The scan before the parser: regorus' parser doubles its time with every level of `[` or `{`, and
//! both it and the evaluation recurse, so what is nested too deep is refused before it is parsed.

use std::iter::Peekable;
use std::str::Chars;

use super::super::Findings;

/// 8 levels parse in 3 ms, 18 in 6 s: the time doubles with each.
const MAX_COLLECTION_DEPTH: usize = 8;
/// regorus refuses deeper expressions itself, but less clearly.
const MAX_PAREN_DEPTH: usize = 32;
/// Operators, dots and brackets that one expression strings together: each is one level of the tree
/// that the parser builds and that later passes descend.
const MAX_LINKS: usize = 256;
/// A token, or a chain of certificates in PEM, stands on one line; a longer line is generated text
/// and belongs into a data file. What nests or links has its own limits above.
const MAX_LINE_COLUMNS: u32 = 8 * 1024;
pub(super) const MAX_FILE_BYTES: usize = 1 << 20;
pub(super) const MAX_LINES: u32 = 20_000;
/// What regorus counts a tab as.
const TAB_COLUMNS: u32 = 4;

/// Looks at the text of one policy file; false where the parser must not see it.
pub(super) fn scan(file: &str, text: &str, findings: &mut Findings) -> bool {
    if text.len() > MAX_FILE_BYTES {
        findings.error(file, 0, 0, format!("the file is larger than {MAX_FILE_BYTES} bytes"));
        return false;
    }
    let mut scanner = Scanner {
        chars: text.chars().peekable(),
        line: 1,
        column: 0,
        width: 0,
        levels: vec![Level { opening: None, links: 0 }],
        after_operand: false,
        after_newline: false,
    };
    match scanner.run() {
        Ok(()) => true,
        Err(message) => {
            findings.error(file, scanner.line, scanner.column.max(1), message);
            false
        }
    }
}

struct Scanner<'a> {
    chars: Peekable<Chars<'a>>,
    line: u32,
    /// In characters from 1, of the character read last.
    column: u32,
    /// The line's width as regorus counts it: bytes, a tab as four.
    width: u32,
    levels: Vec<Level>,
    /// The last token can end an expression.
    after_operand: bool,
    /// A line has ended since the last token.
    after_newline: bool,
}

struct Level {
    opening: Option<char>,
    links: usize,
}

impl Scanner<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.next()? {
            match c {
                '\n' => self.after_newline = true,
                ' ' | '\t' | '\r' => {}
                '#' => self.skip_comment()?,
                '"' => {
                    self.operand();
                    self.skip_string()?;
                }
                '`' => {
                    self.operand();
                    self.skip_raw_string()?;
                }
                '[' | '{' | '(' => self.open(c)?,
                ']' | '}' | ')' => self.close(),
                ',' | ';' => self.separator(),
                '.' | '+' | '-' | '*' | '/' | '%' | '&' | '|' | '=' | '<' | '>' | '!' => {
                    self.link()?;
                    self.after_operand = false;
                }
                _ if c == '_' || c.is_alphanumeric() => self.word(c)?,
                _ => self.after_operand = false,
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<char>, String> {
        let Some(c) = self.chars.next() else { return Ok(None) };
        if c == '\n' {
            self.line += 1;
            self.column = 0;
            self.width = 0;
            if self.line > MAX_LINES {
                return Err(format!("the file has more than {MAX_LINES} lines"));
            }
            return Ok(Some(c));
        }
        self.column += 1;
        self.width +=
            if c == '\t' { TAB_COLUMNS } else { u32::try_from(c.len_utf8()).unwrap_or(1) };
        if self.width > MAX_LINE_COLUMNS {
            return Err(format!("the line is longer than {MAX_LINE_COLUMNS} columns"));
        }
        // The lexer takes NUL for the end of the file: rules behind it would silently be missing.
        if c.is_control() && !matches!(c, '\t' | '\r') {
            return Err(format!("the control character `{}` may not stand here", c.escape_debug()));
        }
        Ok(Some(c))
    }

    fn word(&mut self, first: char) -> Result<(), String> {
        let mut word = String::from(first);
        while let Some(c) = self.chars.next_if(|c| *c == '_' || c.is_alphanumeric()) {
            self.column += 1;
            self.width += u32::try_from(c.len_utf8()).unwrap_or(1);
            word.push(c);
        }
        if word == "in" {
            self.link()?;
            self.after_operand = false;
        } else {
            self.operand();
        }
        Ok(())
    }

    /// Two operands on two lines are two expressions.
    fn operand(&mut self) {
        if self.after_operand && self.after_newline {
            self.separator();
        }
        self.after_operand = true;
        self.after_newline = false;
    }

    fn separator(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.links = 0;
        }
        self.after_operand = false;
        self.after_newline = false;
    }

    fn link(&mut self) -> Result<(), String> {
        self.after_newline = false;
        if let Some(level) = self.levels.last_mut() {
            level.links += 1;
        }
        let links: usize = self.levels.iter().map(|level| level.links).sum();
        if links > MAX_LINKS {
            return Err(format!("the expression has more than {MAX_LINKS} operators and dots"));
        }
        Ok(())
    }

    fn open(&mut self, opening: char) -> Result<(), String> {
        self.link()?;
        self.levels.push(Level { opening: Some(opening), links: 0 });
        let is_paren = |level: &&Level| level.opening == Some('(');
        let parens = self.levels.iter().filter(is_paren).count();
        let collections = self.levels.len() - parens - 1;
        self.after_operand = false;
        if collections > MAX_COLLECTION_DEPTH {
            return Err(format!(
                "`{{` and `[` are nested deeper than {MAX_COLLECTION_DEPTH} levels"
            ));
        }
        if parens > MAX_PAREN_DEPTH {
            return Err(format!("`(` is nested deeper than {MAX_PAREN_DEPTH} levels"));
        }
        Ok(())
    }

    /// What closes wrongly is the parser's to report.
    fn close(&mut self) {
        if self.levels.len() > 1 {
            self.levels.pop();
        }
        self.after_operand = true;
        self.after_newline = false;
    }

    fn skip_comment(&mut self) -> Result<(), String> {
        while self.chars.peek().is_some_and(|c| *c != '\n') {
            self.next()?;
        }
        Ok(())
    }

    fn skip_string(&mut self) -> Result<(), String> {
        while self.chars.peek().is_some_and(|c| *c != '\n') {
            match self.next()? {
                Some('"') => break,
                Some('\\') => drop(self.next()?),
                _ => {}
            }
        }
        Ok(())
    }

    fn skip_raw_string(&mut self) -> Result<(), String> {
        while let Some(c) = self.next()? {
            if c == '`' {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut findings = Findings::default();
        let is_clean = scan("a.rego", text, &mut findings);
        assert_eq!(findings.to_string(), expected);
        assert_eq!(is_clean, expected.is_empty());
    }

    #[test]
    fn collections_nested_to_the_limit_pass_and_one_more_is_refused() {
        check(&format!("x := {}1{}", "[".repeat(8), "]".repeat(8)), "");
        check(
            &format!("\nx := {}1{}", "[{".repeat(5), "}]".repeat(5)),
            "a.rego:2:14: error: `{` and `[` are nested deeper than 8 levels",
        );
        check(&format!("x := {}1{}", "(".repeat(32), ")".repeat(32)), "");
        check(
            &format!("x := {}1", "(".repeat(33)),
            "a.rego:1:38: error: `(` is nested deeper than 32 levels",
        );
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let nest = "[".repeat(20);
        check(&format!("x := \"{nest}\\\"{nest}\""), "");
        check(&format!("x := `{nest}\n\"{nest}`"), "");
        check(&format!("# {nest}\nx := 1"), "");
        check(
            &format!("x := \"a\" # \"\ny := {nest}"),
            "a.rego:2:14: error: `{` and `[` are nested deeper than 8 levels",
        );
        check(
            &format!("x := `\\` ; y := {nest}"),
            "a.rego:1:25: error: `{` and `[` are nested deeper than 8 levels",
        );
    }

    #[test]
    fn a_long_chain_of_operators_is_refused_and_many_statements_are_not() {
        let chain = "1 +\n".repeat(257);
        check(
            &format!("x := ({chain}1)"),
            "a.rego:255:3: error: the expression has more than 256 operators and dots",
        );
        check(&"x := input.a.b[0] + 1\n".repeat(500), "");
        check(&format!("x if {{\n{}}}", "input.a.b == 1\n".repeat(500)), "");
        let references = "a[0]\n".repeat(100);
        check(&format!("x if {{\n{references}}}"), "");
    }

    #[test]
    fn long_lines_and_control_characters_are_refused() {
        check(&"x".repeat(8192), "");
        check(&"x ".repeat(4097), "a.rego:1:8193: error: the line is longer than 8192 columns");
        check("x\0y", "a.rego:1:2: error: the control character `\\0` may not stand here");
        check(&"\n".repeat(20_000), "a.rego:20001:1: error: the file has more than 20000 lines");
    }
}
