//! regorus' error texts, taken apart: it says where in lines of their own, drawn as compilers do.

use super::super::{Code, Finding, Severity};

/// A place and what is wrong there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Empty where the text names none.
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) text: String,
    pub(super) source: Option<String>,
}

/// Reads `--> file:line:column`, the quoted source line and `error: text`; what has another form is
/// the text itself.
pub(super) fn parse(error: &str) -> Message {
    let mut message =
        Message { file: String::new(), line: 0, column: 0, text: String::new(), source: None };
    let mut texts: Vec<&str> = Vec::new();
    for line in error.lines() {
        let is_first = message.file.is_empty();
        if let Some((file, line, column)) = line.strip_prefix("--> ").and_then(place) {
            if is_first {
                (message.file, message.line, message.column) = (file.to_owned(), line, column);
            }
        } else if let Some(text) = line.strip_prefix("error: ") {
            texts.push(text);
        } else if let Some((_, source)) = quoted(line) {
            if message.source.is_none() && !source.is_empty() && !source.ends_with('^') {
                message.source = Some(source.to_owned());
            }
        } else if !line.trim().is_empty() {
            texts.push(line);
        }
    }
    texts.retain(|text| !text.starts_with("definition")); // the caption of a second place
    message.text = texts.iter().map(|text| text.trim()).collect::<Vec<_>>().join("; ");
    message.text = message.text.trim_end_matches(['.', ':']).to_owned();
    message
}

/// As a finding; `file` is the one that was read if the text names none.
pub(super) fn finding(error: &str, file: &str) -> Finding {
    let Message { file: named, line, column, text, source } = parse(error);
    let file = if named.is_empty() { file } else { &named };
    let code = Some(code_of(&text));
    Finding { source, code, ..Finding::new(Severity::Error, file, line, column, text) }
}

/// OPA's kind for what regorus says.
fn code_of(text: &str) -> Code {
    let is_any = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if text.contains("is unsafe") {
        Code::RegoUnsafeVarError
    } else if is_any(&["before definition", "redefinition", "redefined", "shadow", "conflicts"]) {
        Code::RegoCompileError
    } else {
        Code::RegoParseError
    }
}

fn place(text: &str) -> Option<(&str, u32, u32)> {
    let (rest, column) = text.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file, line.parse().ok()?, column.parse().ok()?))
}

/// `12 | text`, or `   |` with nothing or a caret behind it.
fn quoted(line: &str) -> Option<(&str, &str)> {
    let (number, text) = line.split_once('|')?;
    number.trim().bytes().all(|b| b.is_ascii_digit()).then(|| (number, text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_error_becomes_place_source_and_text() {
        let error =
            "\n--> a/b.rego:3:7\n  |\n3 | x := )\n  |       ^\nerror: expecting expression.";
        let expected = Message {
            file: "a/b.rego".to_owned(),
            line: 3,
            column: 7,
            text: "expecting expression".to_owned(),
            source: Some("x := )".to_owned()),
        };
        assert_eq!(parse(error), expected);
    }

    #[test]
    fn a_plain_error_is_the_text() {
        let message = parse("execution exceeded time limit");
        assert_eq!(message.text, "execution exceeded time limit");
        assert_eq!((message.file.as_str(), message.line), ("", 0));
    }
}
