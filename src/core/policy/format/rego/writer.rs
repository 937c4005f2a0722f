//! Where lines begin and end, and where comments go: in front of what stands below them, or at the
//! end of the line of what stands beside them.

use super::tokens::{Comment, lines_in};
use super::tree::Term;

/// Two comments are to stand at the end of one line, or one inside a list that has one line: what is
/// around is written as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoPlace;

pub(super) type Written = Result<(), NoPlace>;

#[derive(Debug)]
pub(super) struct Writer<'a> {
    text: String,
    level: usize,
    /// Something stands on the line.
    is_inline: bool,
    /// In the order of the file.
    comments: Vec<Comment<'a>>,
    next: usize,
    /// Waits for the end of the line.
    waiting: Option<Comment<'a>>,
    /// The next end of a line is not the one that it waits for.
    is_delayed: bool,
    /// The comment behind text that is written as it stands goes behind it at once: nothing follows.
    pub(super) ends_line: bool,
    is_careful: bool,
}

/// What [`Writer::write_as_it_stands`] goes back to.
#[derive(Clone, Copy, Debug)]
struct Before {
    length: usize,
    level: usize,
    next: usize,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(comments: Vec<Comment<'a>>, is_careful: bool) -> Self {
        Self {
            text: String::new(),
            level: 0,
            is_inline: false,
            comments,
            next: 0,
            waiting: None,
            is_delayed: false,
            ends_line: false,
            is_careful,
        }
    }

    /// What is written without comments and without a line's end; `None` where it has one.
    pub(super) fn on_one_line(write: impl FnOnce(&mut Self) -> Written) -> Option<String> {
        let mut writer = Self::new(Vec::new(), false);
        write(&mut writer).ok()?;
        (!writer.text.contains('\n')).then_some(writer.text)
    }

    /// The text, with one newline at its end.
    pub(super) fn finish(mut self) -> String {
        let rest = self.comments.split_off(self.next.min(self.comments.len()));
        for comment in rest {
            self.line(comment);
        }
        if self.is_inline {
            self.end_line();
        }
        let length = self.text.trim_end_matches('\n').len();
        self.text.truncate(length);
        self.text.push('\n');
        self.text
    }

    pub(super) fn write(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn start_line(&mut self) {
        self.is_inline = true;
        self.text.extend(std::iter::repeat_n('\t', self.level));
    }

    pub(super) fn start_line_if_none(&mut self) {
        if !self.is_inline {
            self.start_line();
        }
    }

    pub(super) fn end_line(&mut self) {
        self.is_inline = false;
        if !self.is_delayed
            && let Some(comment) = self.waiting.take()
        {
            self.write(" ");
            self.write(comment.text);
        }
        self.is_delayed = false;
        self.write("\n");
    }

    pub(super) fn blank_line(&mut self) {
        if self.is_inline {
            self.end_line();
        }
        self.write("\n");
    }

    pub(super) const fn indent(&mut self) {
        self.level += 1;
    }

    pub(super) const fn dedent(&mut self) {
        self.level = self.level.saturating_sub(1);
    }

    /// A comment beside the opening bracket goes behind the first element.
    pub(super) fn open_lines(&mut self) {
        self.is_delayed = true;
        self.end_line();
        self.indent();
        self.start_line();
    }

    pub(super) const fn has_waiting_comment(&self) -> bool {
        self.waiting.is_some()
    }

    /// The next comment stands above a row.
    pub(super) fn has_comment_above(&self, row: u32) -> bool {
        self.next_comment().is_some_and(|comment| comment.row < row)
    }

    pub(super) fn has_comment_at(&self, row: u32) -> bool {
        self.next_comment().is_some_and(|comment| comment.row == row)
    }

    pub(super) fn has_comment_between(&self, above: u32, below: u32) -> bool {
        let rest = self.comments.get(self.next..).unwrap_or_default();
        rest.iter().any(|comment| above < comment.row && comment.row < below)
    }

    fn next_comment(&self) -> Option<&Comment<'a>> {
        self.comments.get(self.next)
    }

    /// Takes the comments out that stand in given rows.
    pub(super) fn take_comments_at(&mut self, rows: &[u32]) -> Vec<Comment<'a>> {
        let is_taken = |comment: &Comment<'a>| rows.contains(&comment.row);
        let rest = self.comments.split_off(self.next.min(self.comments.len()));
        let (taken, left): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_taken);
        self.comments.extend(left);
        taken
    }

    /// Writes the comments above a row, and keeps the one in the row for the end of the line.
    pub(super) fn comments_to(&mut self, row: u32) -> Written {
        let above = self.above(row);
        self.comment_block(&above);
        if above.last().is_some_and(|last| row - last.row > 1) {
            self.blank_line();
        }
        if !self.has_comment_at(row) {
            return Ok(());
        }
        let beside = self.next_comment().copied();
        self.next += 1;
        if self.waiting.take().is_some() {
            return Err(NoPlace);
        }
        self.waiting = beside;
        Ok(())
    }

    fn above(&mut self, row: u32) -> Vec<Comment<'a>> {
        let rest = self.comments.get(self.next..).unwrap_or_default();
        let above: Vec<_> = rest.iter().take_while(|comment| comment.row < row).copied().collect();
        self.next += above.len();
        above
    }

    fn comment_block(&mut self, comments: &[Comment<'a>]) {
        let mut is_metadata = false;
        let mut above = None;
        if self.is_careful
            && let Some(first) = comments.first()
            && let Some(beside) = self.waiting.take_if(|waiting| waiting.row < first.row)
        {
            self.line(beside);
        }
        for comment in comments {
            let begins_metadata = is_metadata_mark(comment.text);
            match above.map(|above| comment.row - above) {
                Some(distance) if distance > 1 => {
                    self.blank_line();
                    is_metadata = false;
                }
                Some(_) if is_metadata && begins_metadata => self.blank_line(),
                Some(_) | None => {}
            }
            is_metadata |= begins_metadata;
            above = Some(comment.row);
            self.line(*comment);
        }
    }

    fn line(&mut self, comment: Comment<'a>) {
        self.start_line_if_none();
        self.write(comment.text);
        self.end_line();
    }

    /// Writes a term; where its comments have no place, as it stands in the file. The error goes on:
    /// what is around may have to stand as it is, too.
    pub(super) fn or_as_it_stands(
        &mut self,
        term: &Term<'a>,
        write: impl FnOnce(&mut Self) -> Written,
    ) -> Written {
        let before = self.before();
        write(self).inspect_err(|NoPlace| {
            self.go_back(before, term.row, term.text);
            self.write_as_it_stands(term.row, term.text);
        })
    }

    /// Writes a rule or a statement. Where its comments have no place, what could be written stays,
    /// but the careful writer lets the whole stand as it is.
    pub(super) fn whole(
        &mut self,
        row: u32,
        text: &'a str,
        write: impl FnOnce(&mut Self) -> Written,
    ) {
        let before = self.before();
        if write(self) == Err(NoPlace) && self.is_careful {
            self.go_back(before, row, text);
            let above = self.above(row);
            self.comment_block(&above);
            self.start_line_if_none();
            self.write_as_it_stands(row, text);
        }
    }

    const fn before(&self) -> Before {
        Before { length: self.text.len(), level: self.level, next: self.next }
    }

    /// Unwrites what was written of a piece of the file.
    fn go_back(&mut self, before: Before, row: u32, text: &str) {
        self.text.truncate(before.length);
        self.level = before.level;
        self.next = before.next;
        let end = row + lines_in(text);
        if self.waiting.is_some_and(|waiting| (row..=end).contains(&waiting.row)) {
            self.waiting = None;
        }
    }

    /// Writes text of the file, in which its comments are.
    pub(super) fn write_as_it_stands(&mut self, row: u32, text: &str) {
        self.is_inline = true;
        self.write(text);
        let last_row = row + lines_in(text);
        while self.has_comment_above(last_row) {
            self.next += 1;
        }
        if self.ends_line && self.has_comment_at(last_row) {
            let comment = self.next_comment().map_or("", |comment| comment.text);
            self.write(" ");
            self.write(comment);
            self.next += 1;
        }
    }
}

fn is_metadata_mark(comment: &str) -> bool {
    comment.trim_start_matches('#').trim() == "METADATA"
}
