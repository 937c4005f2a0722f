//! Workflow commands, which GitHub shows beside the lines of a pull request.

use portreeve_core::policy::{Finding, Severity};

use super::report::printable;

/// Where a command points.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    /// From 1; 0 when the whole file is meant.
    pub(super) line: u32,
    /// From 1; 0 when the whole line is meant.
    pub(super) column: u32,
}

/// A finding of the check.
pub(super) fn annotation(finding: &Finding) -> String {
    let place = Place { file: &finding.file, line: finding.line, column: finding.column };
    let hint = finding.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    let message = format!("{}{hint}", finding.message);
    command(finding.severity, &place, "portreeve policy check", &message)
}

/// `::error file=…,line=…,col=…,title=…::message`, escaped as the runner reads it.
pub(super) fn command(severity: Severity, place: &Place<'_>, title: &str, message: &str) -> String {
    let command = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = vec![format!("file={}", property(&printable(place.file)))];
    if place.line > 0 {
        properties.push(format!("line={}", place.line));
    }
    if place.column > 0 {
        properties.push(format!("col={}", place.column));
    }
    properties.push(format!("title={}", property(title)));
    // The runner's page shows lines; what else controls or turns round a terminal's text stays out.
    let lines: Vec<_> = message.split('\n').map(printable).collect();
    let message = data(&lines.join("\n"));
    format!("::{command} {}::{message}", properties.join(","))
}

pub(super) fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

pub(super) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_cannot_be_forged_by_the_text_of_a_policy() {
        let message = "100% of `\n::error::x` is wrong".to_owned();
        let mut finding = Finding::new(Severity::Warning, "a,b:c.rego", 7, 3, message);
        finding.hint = Some("fix it".to_owned());
        assert_eq!(
            annotation(&finding),
            "::warning file=a%2Cb%3Ac.rego,line=7,col=3,title=portreeve policy check::\
             100%25 of `%0A::error::x` is wrong%0Ahint: fix it",
        );
    }

    #[test]
    fn what_turns_text_round_is_escaped() {
        let finding =
            Finding::new(Severity::Error, "a.rego", 0, 0, "`\u{202e}\u{1b}[2J`".to_owned());
        let expected = "::error file=a.rego,title=portreeve policy check::`\\u{202e}\\u{1b}[2J`";
        assert_eq!(annotation(&finding), expected);
    }

    #[test]
    fn a_finding_about_the_whole_file_has_no_line() {
        let finding = Finding::new(Severity::Error, "a.rego", 0, 0, "no rule".to_owned());
        let expected = "::error file=a.rego,title=portreeve policy check::no rule";
        assert_eq!(annotation(&finding), expected);
    }
}
