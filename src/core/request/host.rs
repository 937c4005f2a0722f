//! The host: the authority of the target and the `Host` header must say the same.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::Deref;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri};

use super::protocol::Scheme;
use super::refusal::Refusal;

/// RFC 1035 §2.3.4: no resolver takes a longer name.
const MAX_NAME_BYTES: usize = 253;

/// A host in its one form: lower case, without the scheme's default port and without the dot of the
/// root. It holds the bytes that came where they were in that form already.
#[derive(Clone)]
pub struct Host(Form);

#[derive(Clone)]
enum Form {
    Header(HeaderValue),
    Target(Authority),
    Text(Box<str>),
}

impl Host {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // It is canonical, so it is ASCII: the default is never taken.
            Form::Header(value) => std::str::from_utf8(value.as_bytes()).unwrap_or_default(),
            Form::Target(authority) => authority.as_str(),
            Form::Text(text) => text,
        }
    }
}

impl Deref for Host {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Host {
    /// Takes a text as it is: what comes from a caller goes through [`super::Head::canonical`].
    fn from(text: &str) -> Self {
        Self(Form::Text(text.into()))
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Host {}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The one host of a head; the header is consumed.
pub(super) fn host(uri: &Uri, headers: &mut HeaderMap, scheme: Scheme) -> Result<Host, Refusal> {
    let from_header = match headers.remove(HOST) {
        Some(value) if is_canonical_name(value.as_bytes()) => Some(Host(Form::Header(value))),
        Some(value) => {
            let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Refusal::Host)?;
            let rewritten = canonical(text, scheme)?;
            Some(Host(rewritten.map_or(Form::Header(value), Form::Text)))
        }
        None => None,
    };
    let from_target = match uri.authority() {
        Some(authority) => {
            let rewritten = canonical(authority.as_str(), scheme)?;
            Some(Host(rewritten.map_or_else(|| Form::Target(authority.clone()), Form::Text)))
        }
        None => None,
    };
    match (from_target, from_header) {
        (Some(a), Some(b)) if a != b => Err(Refusal::HostMismatch),
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => Err(Refusal::Host),
    }
}

/// The one form of a host, or `None` where the text has it already.
fn canonical(text: &str, scheme: Scheme) -> Result<Option<Box<str>>, Refusal> {
    if is_canonical_name(text.as_bytes()) {
        return Ok(None);
    }
    let (name, digits) = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text, None),
    };
    let port = digits.map(|digits| read_port(digits, scheme)).transpose()?.flatten();
    let is_kept = digits.is_some() && port.is_some_and(|port| port.is_as_written);
    if is_kept && is_canonical_name(name.as_bytes()) {
        return Ok(None);
    }
    let name = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // One address has many texts; this is the one of RFC 5952.
        Some(v6) => format!("[{}]", v6.parse::<Ipv6Addr>().map_err(|_| Refusal::Host)?),
        None => {
            let lower = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            Some(lower).filter(|name| is_canonical_name(name.as_bytes())).ok_or(Refusal::Host)?
        }
    };
    let whole = match port {
        Some(Port { number, .. }) => format!("{name}:{number}"),
        None => name,
    };
    Ok((*whole != *text).then(|| whole.into()))
}

/// A port that is not the scheme's default.
#[derive(Clone, Copy)]
struct Port {
    number: u16,
    /// Without zeros before it.
    is_as_written: bool,
}

fn read_port(digits: &str, scheme: Scheme) -> Result<Option<Port>, Refusal> {
    let default = if scheme == Scheme::Https { 443 } else { 80 };
    // `parse` takes a sign, a port has none.
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::Host);
    }
    let number = digits.parse::<u16>().map_err(|_| Refusal::Host)?;
    let is_as_written = !digits.starts_with('0');
    Ok((number != default).then_some(Port { number, is_as_written }))
}

/// Labels of lower-case letters, digits, `-` and `_`, none of them empty.
fn is_canonical_name(name: &[u8]) -> bool {
    let (mut seen, mut doubled, mut before) = (0, 0, DOT);
    for b in name {
        let kind = *KINDS.get(usize::from(*b)).unwrap_or(&ILLEGAL);
        seen |= kind;
        doubled |= before & kind;
        before = kind;
    }
    seen & ILLEGAL == 0 && doubled == 0 && before != DOT && name.len() <= MAX_NAME_BYTES
}

const DOT: u8 = 1;
const ILLEGAL: u8 = 2;

static KINDS: [u8; 256] = kinds();

#[expect(clippy::indexing_slicing, reason = "runs when it is compiled")]
const fn kinds() -> [u8; 256] {
    let mut kinds = [ILLEGAL; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        kinds[byte as usize] = match byte {
            b'.' => DOT,
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => 0,
            _ => ILLEGAL,
        };
        byte += 1;
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, Refusal>) {
        let seen = canonical(text, Scheme::Https);
        let seen = seen.map(|rewritten| rewritten.map_or(text.to_owned(), String::from));
        assert_eq!(seen, expected.map(str::to_owned), "{text}");
        if let Ok(host) = expected {
            assert_eq!(canonical(host, Scheme::Https), Ok(None), "{host} again");
        }
    }

    #[test]
    fn a_host_has_one_form() {
        check("a.example", Ok("a.example"));
        check("A.Example", Ok("a.example"));
        check("a.example.", Ok("a.example"));
        check("a.example:443", Ok("a.example"));
        check("A.example.:0443", Ok("a.example"));
        check("a.example:8443", Ok("a.example:8443"));
        check("a.example:08443", Ok("a.example:8443"));
        check("a.example.:80", Ok("a.example:80"));
        check("[0:0:0:0:0:0:0:1]:443", Ok("[::1]"));
        check("[2001:DB8::1]:1", Ok("[2001:db8::1]:1"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ".",
            ":443",
            "a..b",
            ".a",
            "a..",
            "a:",
            "a:b",
            "a:+1",
            "a:-1",
            "a:65536",
            "a:1:2",
            "a b",
            "a,b",
            "a/b",
            "a?b",
            "u@a",
            "a%2e",
            "xn--\u{fc}",
            "[",
            "[]",
            "[::1",
            "[a.b]",
            "[1:2:3]",
            "[fe80::1%25eth0]",
            "::1",
            "[::1].",
            "*",
        ] {
            check(text, Err(Refusal::Host));
        }
        check(&"a".repeat(MAX_NAME_BYTES), Ok(&"a".repeat(MAX_NAME_BYTES)));
        check(&"a".repeat(MAX_NAME_BYTES + 1), Err(Refusal::Host));
    }

    #[test]
    fn a_host_in_its_form_keeps_its_bytes() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("a.example:8443"));
        let kept = host(&Uri::from_static("/"), &mut headers, Scheme::Https).unwrap();
        assert!(matches!(kept.0, Form::Header(_)), "{kept}");
        let uri = Uri::from_static("https://a.example/");
        let kept = host(&uri, &mut headers, Scheme::Https).unwrap();
        assert!(matches!(kept.0, Form::Target(_)), "{kept}");
        headers.insert(HOST, HeaderValue::from_static("A.example"));
        let made = host(&uri, &mut headers, Scheme::Https).unwrap();
        assert!(matches!(made.0, Form::Target(_)) && made == Host::from("a.example"));
    }
}
