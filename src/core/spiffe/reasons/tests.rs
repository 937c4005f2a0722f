use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::*;

const HEAD: &str = "\
# Why a connection or a caller is refused

A connection that is refused before there is a decision is counted in a record of kind `refused`
(`schemas/record.json`) and in the metrics, and makes one line in the log. All three carry one of these
codes; a code keeps its meaning. The record and the line name the SPIFFE ID that the peer claims, and the
serial number and the SHA-256 of its certificate. Nothing of that is proven.

A refused client is told no more than the TLS alert, or the status in brackets; our log says the rest.

The codes of refused requests are a family of their own, `request` (and `http` where the protocol itself
was broken): they are recorded in the same way, with what is proven of the caller. A request that comes
while there is no policy is refused with status 503 and `policy.none`. What was decided has other codes,
in its decision and in the end of its exchange.

What is accepted on purpose, since the standard only recommends it or leaves it to who issues:

- A leaf without basicConstraints or without extendedKeyUsage, and one whose subjectAltName is not
  critical although its subject is empty.
- An issuer without SPIFFE ID, and one whose SPIFFE ID names another trust domain than its leaves.
- An issuer without SPIFFE ID whose keyUsage is not critical, and such a root without keyUsage.
- A root whose own signature uses SHA-1: nobody verifies it.
- Without a list of revoked certificates (CRL) nothing is revoked. A list counts only for certificates
  of the key that signed it, and it still revokes what it lists after its `nextUpdate`.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (heading, reasons) in REASONS {
        let _ = write!(
            page,
            "\n## {heading}\n\n| code | it says | rule | alert |\n|---|---|---|---|\n"
        );
        for Reason { code, says, section, alert } in reasons {
            let _ = writeln!(page, "| `{code}` | {says} | {section} | {alert} |");
        }
    }
    page
}

#[test]
fn the_page_lists_every_reason() {
    expect_test::expect_file!["../../../../docs/reasons.md"].assert_eq(&page());
}

/// The families whose codes may stand nowhere but in this list and where they arise.
const FAMILIES: [&str; 10] =
    ["svid.", "trust.", "peer.", "tls.", "jwt.", "request.", "http.", "identity.", "clock.", "id."];
/// What is spelt like a code and is a name of Rego.
const NAMES: [&str; 1] = ["http.send"];

/// Every string literal of the code that is spelt like a reason.
#[expect(
    clippy::disallowed_methods,
    reason = "only this test reads files, those of the code; the core reads none"
)]
fn literals(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if name != "tests" {
                literals(&path, found);
            }
        } else if name.ends_with(".rs")
            && name != "tests.rs"
            && !path.ends_with("spiffe/reasons/mod.rs")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            found.extend(code.split('"').filter(|part| is_code(part)).map(str::to_owned));
        }
    }
}

fn is_code(text: &str) -> bool {
    let name = FAMILIES.iter().find_map(|family| text.strip_prefix(family));
    name.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    })
}

#[test]
fn every_reason_that_the_code_gives_is_listed_and_every_listed_one_is_given() {
    let mut given = BTreeSet::new();
    literals(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut given);
    given.retain(|code| !NAMES.contains(&code.as_str()));
    let listed: Vec<_> = REASONS.iter().flat_map(|(_, reasons)| *reasons).collect();
    let codes: BTreeSet<_> = listed.iter().map(|reason| reason.code.to_owned()).collect();
    assert_eq!(given.difference(&codes).collect::<Vec<_>>(), Vec::<&String>::new(), "unlisted");
    assert_eq!(codes.difference(&given).collect::<Vec<_>>(), Vec::<&String>::new(), "unused");
    assert_eq!(listed.len(), codes.len(), "a code stands twice");
    assert_eq!(find("svid.expired").unwrap().alert, "certificate_expired");
    assert_eq!(find("svid"), None);
}
