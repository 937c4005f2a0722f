//! Suite `canonical-request`: heads as bytes on a connection, through the HTTP library and then
//! [`Draft`], as a listener takes them.

use std::collections::BTreeMap;

use http::HeaderMap;
use portreeve_core::policy::cases::{CaseOutcome, CaseResult};
use portreeve_core::request::{Draft, Head, Relaxed, Scheme};
use serde::Deserialize;

use super::json_cases::{self, CaseFile};
use super::wire::Wire;

/// What refuses a head before it is one: the HTTP library answers it without asking us.
const MALFORMED: &str = "request.malformed";

/// A head in one of the two protocols, on a TLS connection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// An HTTP/1 head as it is sent; the empty line that ends it may be left out.
    head: Option<String>,
    /// HTTP/2 fields in order, pseudo-headers included.
    h2: Option<Vec<(String, String)>>,
    /// The `relax` of the route in the configuration; nothing is kept without it.
    #[serde(default)]
    relax: Relax,
    expect: Expect,
}

/// As in the configuration.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Relax {
    encoded_slashes: Setting,
    empty_segments: Setting,
    underscore_headers: Setting,
    forwarded_headers: Setting,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Setting {
    #[default]
    #[serde(alias = "remove")]
    Refuse,
    Keep,
}

impl Relax {
    fn relaxed(self) -> Relaxed {
        Relaxed {
            encoded_slashes: self.encoded_slashes == Setting::Keep,
            empty_segments: self.empty_segments == Setting::Keep,
            underscore_headers: self.underscore_headers == Setting::Keep,
            forwarded_headers: self.forwarded_headers == Setting::Keep,
        }
    }
}

/// The one form of the head, or the reason why it has none. Only what is named is compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    refuse: Option<String>,
    method: Option<String>,
    path: Option<String>,
    /// `null` where there is no query.
    #[serde(default, deserialize_with = "present")]
    query: Option<Option<String>>,
    host: Option<String>,
    /// All headers that are left, each with its values in order.
    headers: Option<BTreeMap<String, Vec<String>>>,
}

/// Tells a key that is `null` from one that is absent.
fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(d).map(Some)
}

pub(super) fn run(files: &[CaseFile]) -> anyhow::Result<Vec<CaseResult>> {
    let wire = Wire::new()?;
    Ok(json_cases::run(files, |case: &Case| {
        run_case(case, &wire).unwrap_or_else(CaseOutcome::errored)
    }))
}

/// Runs one case; `Err` says why it could not run.
fn run_case(case: &Case, wire: &Wire) -> Result<CaseOutcome, String> {
    let arrived = match (&case.head, &case.h2) {
        (Some(head), None) => wire.h1(head),
        (None, Some(fields)) => wire.h2(fields)?,
        _ => return Err("a case has either `head` or `h2`".to_owned()),
    };
    let seen = match arrived {
        None => Err(MALFORMED),
        Some(parts) => Draft::read(parts, Scheme::Https)
            .and_then(|draft| draft.settle(case.relax.relaxed()))
            .map_err(|refusal| refusal.reason()),
    };
    let expected = expected_lines(&case.expect)?;
    let actual = actual_lines(&seen, &case.expect);
    if expected == actual {
        return Ok(CaseOutcome::Passed);
    }
    Ok(CaseOutcome::Failed {
        expected: expected.join(", "),
        actual: actual.join(", "),
        detail: None,
    })
}

/// The expectation as texts `part value`, in a fixed order.
fn expected_lines(expect: &Expect) -> Result<Vec<String>, String> {
    let Expect { refuse, method, path, query, host, headers } = expect;
    if let Some(reason) = refuse {
        let is_alone = method.is_none()
            && path.is_none()
            && query.is_none()
            && host.is_none()
            && headers.is_none();
        return if is_alone {
            Ok(vec![format!("refused ({reason})")])
        } else {
            Err("`refuse` stands alone in `expect`".to_owned())
        };
    }
    let mut lines = Vec::new();
    lines.extend(method.as_ref().map(|method| format!("method `{method}`")));
    lines.extend(host.as_ref().map(|host| format!("host `{host}`")));
    lines.extend(path.as_ref().map(|path| format!("path `{path}`")));
    lines.extend(query.as_ref().map(|query| query_line(query.as_deref())));
    lines.extend(headers.as_ref().map(headers_line));
    if lines.is_empty() {
        return Err("`expect` names nothing".to_owned());
    }
    Ok(lines)
}

/// What came, told in the parts that the expectation names; all of it against a refusal.
fn actual_lines(seen: &Result<Head, &'static str>, expect: &Expect) -> Vec<String> {
    let head = match seen {
        Ok(head) => head,
        Err(reason) => return vec![format!("refused ({reason})")],
    };
    let all = expect.refuse.is_some();
    let mut lines = Vec::new();
    if all || expect.method.is_some() {
        lines.push(format!("method `{}`", head.method));
    }
    if all || expect.host.is_some() {
        lines.push(format!("host `{}`", head.host));
    }
    if all || expect.path.is_some() {
        lines.push(format!("path `{}`", head.path()));
    }
    if all || expect.query.is_some() {
        lines.push(query_line(head.query()));
    }
    if all || expect.headers.is_some() {
        lines.push(headers_line(&headers_of(&head.headers)));
    }
    lines
}

fn query_line(query: Option<&str>) -> String {
    query.map_or_else(|| "no query".to_owned(), |query| format!("query `{query}`"))
}

fn headers_line(headers: &BTreeMap<String, Vec<String>>) -> String {
    format!("headers {headers:?}")
}

fn headers_of(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.entry(name.as_str().to_owned()).or_default().push(value);
    }
    all
}
