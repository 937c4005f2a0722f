//! A bundle's file as text, or where it is none.

use super::Findings;

/// The text of a data file; where it is not UTF-8 is a finding.
pub(super) fn text<'a>(file: &str, content: &'a [u8], findings: &mut Findings) -> Option<&'a str> {
    let error = match std::str::from_utf8(content) {
        Ok(text) => return Some(text),
        Err(error) => error,
    };
    let good = content.get(..error.valid_up_to()).unwrap_or_default();
    let good = String::from_utf8_lossy(good);
    let (line, column) = end_of(&good);
    findings.error(file, line, column, "the file is not UTF-8");
    None
}

/// The text of a policy file, in which nothing may look to a reader as something else: characters
/// that turn the direction of text round are refused.
pub(super) fn policy_text<'a>(
    file: &str,
    content: &'a [u8],
    findings: &mut Findings,
) -> Option<&'a str> {
    let text = text(file, content, findings)?;
    let Some((before, after)) =
        text.find(turns_text_round).and_then(|at| text.split_at_checked(at))
    else {
        return Some(text);
    };
    let (line, column) = end_of(before);
    let turning = after.chars().next().unwrap_or_default().escape_unicode();
    let message =
        format!("the character `{turning}` turns text round: people would read other rules");
    findings.error(file, line, column, message);
    None
}

fn turns_text_round(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Line and column, from 1, of what follows a text.
pub(super) fn end_of(text: &str) -> (u32, u32) {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
    let last = text.rsplit('\n').next().unwrap_or_default();
    (number(text.matches('\n').count()), number(last.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &[u8], expected: &str) {
        let mut findings = Findings::default();
        let text = policy_text("a.rego", content, &mut findings);
        assert_eq!(text.is_none(), findings.has_errors());
        assert_eq!(findings.to_string(), expected);
    }

    #[test]
    fn what_is_no_text_is_refused_at_its_place() {
        check("package a # é".as_bytes(), "");
        check(b"package a\n# caf\xe9\n", "a.rego:2:6: error: the file is not UTF-8");
        check(b"\xff", "a.rego:1:1: error: the file is not UTF-8");
    }

    #[test]
    fn text_that_is_turned_round_is_refused_in_a_policy() {
        check(
            "a\n# é\u{202e}x".as_bytes(),
            "a.rego:2:4: error: the character `\\u{202e}` turns text round: people would read other \
             rules",
        );
        assert!(text("data.json", "\u{2066}".as_bytes(), &mut Findings::default()).is_some());
    }
}
