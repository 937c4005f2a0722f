//! The parser's footing: looking at tokens, taking them, going back.

use super::tokens::{Comment, Kind, Token, lines_in, read};

/// What the parser of the formatter cannot read, and where, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) at: usize,
    pub(super) message: String,
}

#[derive(Debug)]
pub(super) struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token<'a>>,
    next: usize,
    end: Token<'a>,
}

/// A place to come back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

impl<'a> Parser<'a> {
    pub(super) fn new(source: &'a str) -> (Self, Vec<Comment<'a>>) {
        let (tokens, comments) = read(source);
        let row = 1 + lines_in(source);
        let end = Token { kind: Kind::End, text: "", start: source.len(), row, is_first: true };
        (Self { source, tokens, next: 0, end }, comments)
    }

    pub(super) fn peek(&self) -> Token<'a> {
        self.tokens.get(self.next).copied().unwrap_or(self.end)
    }

    pub(super) fn peek_second(&self) -> Token<'a> {
        self.tokens.get(self.next + 1).copied().unwrap_or(self.end)
    }

    pub(super) fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next += 1;
        token
    }

    /// Takes a word or a mark if it is next.
    pub(super) fn take_if(&mut self, text: &str) -> bool {
        let is_next = self.is(text);
        self.next += usize::from(is_next);
        is_next
    }

    pub(super) fn is(&self, text: &str) -> bool {
        let token = self.peek();
        matches!(token.kind, Kind::Word | Kind::Mark) && token.text == text
    }

    pub(super) fn is_one_of(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.is(text))
    }

    /// Nothing stands between the last token and the next.
    pub(super) fn is_adjacent(&self) -> bool {
        self.peek().start == self.last_end()
    }

    pub(super) fn expect(&mut self, text: &str) -> Result<Token<'a>, Unread> {
        if self.is(text) {
            Ok(self.take())
        } else {
            Err(self.unread(&format!("expected `{text}`")))
        }
    }

    pub(super) fn expect_word(&mut self) -> Result<Token<'a>, Unread> {
        match self.peek().kind {
            Kind::Word => Ok(self.take()),
            Kind::Number | Kind::Text | Kind::Mark | Kind::End => {
                Err(self.unread("expected a name"))
            }
        }
    }

    pub(super) fn unread(&self, message: &str) -> Unread {
        Unread { at: self.peek().start, message: message.to_owned() }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.peek().kind == Kind::End
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark(self.next)
    }

    pub(super) const fn go_back(&mut self, mark: Mark) {
        self.next = mark.0;
    }

    /// The text from a place to the end of the token taken last.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.source.get(start..self.last_end()).unwrap_or_default()
    }

    pub(super) fn last_end(&self) -> usize {
        let last = self.next.checked_sub(1).and_then(|last| self.tokens.get(last));
        last.map_or(0, Token::end)
    }

    /// The row where the token taken last ends.
    pub(super) fn last_row(&self) -> u32 {
        let last = self.next.checked_sub(1).and_then(|last| self.tokens.get(last));
        last.map_or(1, |last| last.row + lines_in(last.text))
    }
}
