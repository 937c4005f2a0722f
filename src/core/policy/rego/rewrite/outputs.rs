//! `f(a, out)` as `out = f(a)` where it stands as a statement and `f` is a builtin that only we have:
//! regorus knows this form of its own builtins only.

use regorus::unstable::BUILTINS;

use super::super::builtins;
use super::cursor::{Cursor, Placed};

/// Whether a call that needs it may stand in the text.
pub(super) fn may_be_in(text: &str) -> bool {
    builtins::names().any(|name| is_ours_alone(name) && text.contains(name))
}

fn is_ours_alone(name: &str) -> bool {
    !BUILTINS.contains_key(name)
}

pub(super) fn rewrite(characters: &[Placed]) -> Vec<Placed> {
    let mut outputs = Outputs {
        cursor: Cursor::new(characters),
        last: Last::Start,
        after_newline: false,
        removed: Vec::new(),
    };
    while outputs.cursor.peek().is_some() {
        outputs.token();
    }
    outputs.cursor.written
}

/// The token before the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// A statement may follow at once: `{`, `;`, `|`, `if`, `not`, or nothing.
    Start,
    /// A statement may follow on another line.
    Operand,
    Operator,
}

struct Outputs<'a> {
    cursor: Cursor<'a>,
    last: Last,
    after_newline: bool,
    /// What has been moved away: how much is left from its start to its end.
    removed: Vec<(usize, usize)>,
}

impl Outputs<'_> {
    fn token(&mut self) {
        let rest = self.cursor.rest.len();
        if let Some((_, end)) = self.removed.pop_if(|(start, _)| *start == rest) {
            return self.remove(end);
        }
        let Some(next) = self.cursor.peek() else { return };
        match next {
            '#' => drop(self.cursor.copy_opaque()),
            '"' | '`' => {
                self.cursor.copy_opaque();
                self.last_is(Last::Operand);
            }
            '\n' => {
                self.after_newline = true;
                self.cursor.copy();
            }
            _ if next.is_whitespace() => drop(self.cursor.copy()),
            _ if is_name(next) => self.name(),
            _ => {
                self.cursor.copy();
                self.last_is(match next {
                    '{' | ';' | '|' => Last::Start,
                    ')' | ']' | '}' => Last::Operand,
                    _ => Last::Operator,
                });
            }
        }
    }

    const fn last_is(&mut self, last: Last) {
        self.last = last;
        self.after_newline = false;
    }

    fn name(&mut self) {
        let is_part = |placed: &&Placed| is_name(placed.character) || placed.character == '.';
        let characters = self.cursor.rest.iter().take_while(is_part);
        let name: String = characters.map(|placed| placed.character).collect();
        let is_statement = match self.last {
            Last::Start => true,
            Last::Operand => self.after_newline,
            Last::Operator => false,
        };
        let length = name.chars().count();
        if is_statement && let Some(output) = self.output(&name, length) {
            self.cursor.written.extend(output.term);
            self.cursor.insert(" = ");
            self.removed.push((output.start, output.end));
        }
        for _ in 0..length {
            self.cursor.copy();
        }
        self.last_is(match name.as_str() {
            "if" | "not" => Last::Start,
            "in" | "with" | "as" | "contains" | "some" | "every" => Last::Operator,
            _ => Last::Operand,
        });
    }

    /// The argument that receives the result of the call under the cursor, if it has one.
    fn output(&self, name: &str, length: usize) -> Option<Output> {
        let arity = builtins::arity(name).filter(|_| is_ours_alone(name))?;
        let mut ahead = Cursor::new(self.cursor.rest.get(length..)?);
        if ahead.skip() != Some('(') {
            return None;
        }
        let mut open = 0_usize;
        let mut starts = vec![ahead.rest];
        while let Some(next) = ahead.peek() {
            if ahead.copy_opaque() {
                continue;
            }
            match next {
                '(' | '[' | '{' => open += 1,
                ')' if open == 0 => break,
                ')' | ']' | '}' => open = open.saturating_sub(1),
                ',' if open == 0 => {
                    starts.push(ahead.rest);
                }
                _ => {}
            }
            ahead.skip();
        }
        let end = ahead.rest.len();
        ahead.skip()?;
        let mut last_end = end;
        // Behind the last comma there may be nothing.
        if starts.len() == arity + 2 {
            let last = starts.pop()?;
            if !last.get(1..last.len().checked_sub(end)?)?.iter().all(is_blank) {
                return None;
            }
            last_end = last.len();
        }
        let start = starts.last().filter(|_| starts.len() == arity + 1)?;
        let term = start.get(usize::from(arity > 0)..start.len().checked_sub(last_end)?)?;
        let output = Output { term: on_one_line(term)?, start: start.len(), end };
        ends_statement(ahead.rest).then_some(output)
    }

    /// Drops what has been written before already; its lines stay.
    fn remove(&mut self, end: usize) {
        while self.cursor.rest.len() > end {
            if self.cursor.peek() == Some('\n') {
                self.cursor.copy();
            } else {
                self.cursor.skip();
            }
        }
    }
}

struct Output {
    term: Vec<Placed>,
    start: usize,
    end: usize,
}

/// `None` where a comment is in it, or nothing.
fn on_one_line(term: &[Placed]) -> Option<Vec<Placed>> {
    if term.iter().all(is_blank) || term.iter().any(|placed| placed.character == '#') {
        return None;
    }
    let space = |placed: &Placed| match placed.character {
        '\n' => Placed { character: ' ', ..*placed },
        _ => *placed,
    };
    let start = term.iter().position(|placed| !is_blank(placed))?;
    Some(term.iter().skip(start).map(space).collect())
}

const fn is_blank(placed: &Placed) -> bool {
    placed.character.is_whitespace()
}

fn is_name(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn ends_statement(rest: &[Placed]) -> bool {
    let mut after =
        rest.iter().map(|placed| placed.character).skip_while(|c| matches!(c, ' ' | '\t' | '\r'));
    match after.next() {
        None | Some('\n' | '}' | ']' | ';' | '#') => true,
        Some('w') => after.take(4).eq("ith ".chars()),
        Some(_) => false,
    }
}
