//! A module's text by lines: which hold something, and where offsets stand.

/// The lines of one module.
#[derive(Debug)]
pub(super) struct Lines {
    /// The offset of each line's first byte.
    starts: Vec<usize>,
    /// Whether anything stands on the line but space, brackets, separators and comments.
    holds: Vec<bool>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Self { starts: vec![0], holds: vec![false] };
        let mut inside = Inside::Code;
        let mut is_escaped = false;
        for (offset, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                lines.starts.push(offset + 1);
                lines.holds.push(inside == Inside::Raw);
                is_escaped = false;
                if inside != Inside::Raw {
                    inside = Inside::Code;
                }
                continue;
            }
            let was_inside = inside;
            inside = match (inside, byte) {
                (Inside::Code, b'#') => Inside::Comment,
                (Inside::Code, b'"') => Inside::Text,
                (Inside::Code, b'`') => Inside::Raw,
                (Inside::Text, b'"') if !is_escaped => Inside::Code,
                (Inside::Raw, b'`') => Inside::Code,
                (other, _) => other,
            };
            is_escaped = inside == Inside::Text && byte == b'\\' && !is_escaped;
            let is_something =
                inside != Inside::Comment && (was_inside != Inside::Code || !is_punctuation(byte));
            if let Some(holds) = lines.holds.last_mut().filter(|_| is_something) {
                *holds = true;
            }
        }
        lines
    }

    /// The line of an offset, from 1.
    pub(super) fn at(&self, offset: u32) -> u32 {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let line = self.starts.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// Whether something stands there that can be evaluated.
    pub(super) fn holds(&self, line: u32) -> bool {
        let index = usize::try_from(line).unwrap_or(usize::MAX).checked_sub(1);
        index.and_then(|index| self.holds.get(index)).copied().unwrap_or(false)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    Comment,
    Text,
    Raw,
}

const fn is_punctuation(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, b'{' | b'}' | b'[' | b']' | b'(' | b')' | b',' | b';')
}

/// What stands behind an offset: space and comments are passed over.
pub(super) fn skip_space(text: &str, mut offset: usize) -> usize {
    while let Some(rest) = text.get(offset..) {
        let trimmed = rest.trim_start();
        offset += rest.len() - trimmed.len();
        if !trimmed.starts_with('#') {
            break;
        }
        offset += trimmed.find('\n').unwrap_or(trimmed.len());
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[u32]) {
        let lines = Lines::of(text);
        let count = u32::try_from(text.lines().count()).unwrap();
        let seen: Vec<u32> = (1..=count).filter(|line| lines.holds(*line)).collect();
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn brackets_and_comments_alone_hold_nothing() {
        check("a if {\n  # b\n  }\n\n])\n},\n  1,", &[1, 7]);
        check("x := \"#\" # c\n\"{\"\n{ # d", &[1, 2]);
        check("x := \"\\\"#\"\n}", &[1]);
        check("x := `a\n}\n`\n}", &[1, 2, 3]);
    }

    #[test]
    fn an_offset_is_found_on_its_line() {
        let lines = Lines::of("ab\nc\n\nd");
        assert_eq!([0, 2, 3, 5, 6].map(|offset| lines.at(offset)), [1, 1, 2, 3, 4]);
    }

    #[test]
    fn space_and_comments_are_passed_over() {
        assert_eq!(skip_space("a  # b\n # c\n d", 1), 13);
        assert_eq!(skip_space("a", 1), 1);
    }
}
