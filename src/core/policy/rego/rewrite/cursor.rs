//! Characters with the columns that they came from, and a way through them that knows strings and
//! comments.

/// One character of the rewritten text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) character: char,
    /// Of the file, in characters from 1; an inserted character has that of what follows it.
    pub(super) column: u32,
}

/// The file's own characters.
pub(super) fn placed(text: &str) -> Vec<Placed> {
    let mut column = 0;
    let place = |character| {
        column += 1;
        let placed = Placed { character, column };
        if character == '\n' {
            column = 0;
        }
        placed
    };
    text.chars().map(place).collect()
}

/// What is between the cursor and the end, and what has been written.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [Placed],
    pub(super) written: Vec<Placed>,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(characters: &'a [Placed]) -> Self {
        Self { rest: characters, written: Vec::new() }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.first().map(|placed| placed.character)
    }

    pub(super) fn peek_second(&self) -> Option<char> {
        self.rest.get(1).map(|placed| placed.character)
    }

    /// Reads one character and writes nothing.
    pub(super) fn skip(&mut self) -> Option<char> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first.character)
    }

    /// Reads one character and writes it.
    pub(super) fn copy(&mut self) -> Option<char> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.written.push(*first);
        Some(first.character)
    }

    /// Writes what the file does not have.
    pub(super) fn insert(&mut self, text: &str) {
        let column = self.rest.first().map_or(1, |placed| placed.column);
        self.written.extend(text.chars().map(|character| Placed { character, column }));
    }

    /// Copies a string, a raw string or a comment whole; false where none begins.
    pub(super) fn copy_opaque(&mut self) -> bool {
        let Some(opening @ ('"' | '`' | '#')) = self.peek() else { return false };
        if opening != '#' {
            self.copy();
        }
        while let Some(next) = self.peek() {
            // Neither a string nor a comment has a second line; the parser says so of a string.
            if next == '\n' && opening != '`' {
                break;
            }
            self.copy();
            if next == '\\' && opening == '"' {
                self.copy();
            } else if next == opening && opening != '#' {
                break;
            }
        }
        true
    }
}
