//! Host and target: case and needless encodings are normalised, whatever has two readings is refused.

use std::net::Ipv6Addr;

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri};

use super::head::{Refusal, Scheme};

/// The authority of the target and the `Host` header must say the same; the header is consumed.
pub(super) fn host(
    uri: &Uri,
    headers: &mut HeaderMap,
    scheme: Scheme,
) -> Result<Box<str>, Refusal> {
    let from_header = match headers.remove(HOST) {
        Some(value) => Some(canonical_host(value.to_str().map_err(|_| Refusal::Host)?, scheme)?),
        None => None,
    };
    let from_target = match uri.authority() {
        Some(authority) => Some(canonical_host(authority.as_str(), scheme)?),
        None => None,
    };
    match (from_target, from_header) {
        (Some(a), Some(b)) if a != b => Err(Refusal::HostMismatch),
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => Err(Refusal::Host),
    }
}

fn canonical_host(text: &str, scheme: Scheme) -> Result<Box<str>, Refusal> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text, None),
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is_legal = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(legal),
    };
    let default_port = if scheme == Scheme::Https { 443 } else { 80 };
    let port = match port {
        None => None,
        // `parse` takes a sign, a port has none.
        Some(digits) if !digits.bytes().all(|b| b.is_ascii_digit()) => return Err(Refusal::Host),
        Some(digits) => {
            let port = digits.parse::<u16>().map_err(|_| Refusal::Host)?;
            (port != default_port).then_some(port)
        }
    };
    if !is_legal {
        return Err(Refusal::Host);
    }
    let name = name.to_ascii_lowercase();
    Ok(match port {
        Some(port) => format!("{name}:{port}").into(),
        None => name.into(),
    })
}

/// The path in canonical form and the query as it came; the common case moves the bytes unchanged.
pub(super) fn target(method: &Method, uri: Uri) -> Result<PathAndQuery, Refusal> {
    if uri.scheme_str().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
        return Err(Refusal::TargetForm);
    }
    let target = uri.into_parts().path_and_query.ok_or(Refusal::TargetForm)?;
    let path = target.path();
    if path == "*" && method == Method::OPTIONS {
        return Ok(target);
    }
    // `https://a#x` leaves a target without bytes, which says that it is `/` and is written as nothing.
    if target.as_str() == "/" {
        return Ok(PathAndQuery::from_static("/"));
    }
    if !path.starts_with('/') {
        return Err(Refusal::TargetForm);
    }
    check_bytes(path)?;
    let rewritten = if path.contains('%') { decode_unreserved(path)? } else { None };
    check_segments(rewritten.as_deref().unwrap_or(path))?;
    let path = match rewritten {
        Some(path) => path,
        None if target.as_str().starts_with('/') => return Ok(target),
        // `http://a?x` has the path `/` without writing it.
        None => path.to_owned(),
    };
    let whole = match target.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    PathAndQuery::try_from(whole).map_err(|_| Refusal::PathByte)
}

/// RFC 3986 §3.3: what a path may hold; `%` is looked at by [`decode_unreserved`].
fn check_bytes(path: &str) -> Result<(), Refusal> {
    let legal = |b: u8| {
        // From `$` to `;` stand `$%&'()*+,-./`, the digits, `:` and `;`.
        matches!(b, b'$'..=b';' | b'A'..=b'Z' | b'a'..=b'z')
            || matches!(b, b'!' | b'=' | b'@' | b'_' | b'~')
    };
    if path.bytes().all(legal) { Ok(()) } else { Err(Refusal::PathByte) }
}

fn check_segments(path: &str) -> Result<(), Refusal> {
    if path == "/" {
        return Ok(());
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    // One trailing slash is a path of its own, as RFC 3986 has it: `/a/` is not `/a`.
    let path = path.strip_suffix('/').unwrap_or(path);
    for segment in path.split('/') {
        // `..;x` is a dot segment to servers that cut path parameters off, and so is `..%3Bx` to
        // those that decode first.
        let name = segment.split(';').next().unwrap_or(segment);
        // Of other names nothing that is refused could be left, and the search is not free.
        let is_suspect = name.starts_with(['.', '%']);
        let name = if is_suspect { name.split("%3B").next().unwrap_or(name) } else { name };
        match name {
            "" => return Err(Refusal::EmptySegment),
            "." | ".." => return Err(Refusal::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

/// Decodes the unreserved characters (RFC 3986 §2.3) and writes hex in upper case; `None` where
/// nothing changes. What would read differently once decoded is refused.
fn decode_unreserved(path: &str) -> Result<Option<String>, Refusal> {
    let mut out = String::with_capacity(path.len());
    // What the path means once it is decoded: overlong UTF-8 is a second form of `.` and `/`.
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((plain, encoded)) = rest.split_once('%') {
        out.push_str(plain);
        decoded.extend_from_slice(plain.as_bytes());
        let digits = encoded.get(..2).ok_or(Refusal::PercentEncoding)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Refusal::PercentEncoding);
        }
        let byte = u8::from_str_radix(digits, 16).map_err(|_| Refusal::PercentEncoding)?;
        decoded.push(byte);
        match byte {
            b'/' | b'\\' => return Err(Refusal::EncodedSlash),
            b'%' => return Err(Refusal::PercentEncoding),
            0..=0x1f | 0x7f => return Err(Refusal::PathByte),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
        }
        rest = encoded.get(2..).unwrap_or_default();
    }
    if std::str::from_utf8(&decoded).is_err() {
        return Err(Refusal::PercentEncoding);
    }
    out.push_str(rest);
    Ok((out != path).then_some(out))
}

pub(super) fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_form(key), decode_form(value))
    })
}

/// Decodes `+` and percent-encodings; what is not valid stays as it was sent, so that nothing is lost.
fn decode_form(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = match (first, tail) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        rest = match hex {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                tail.get(2..).unwrap_or_default()
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                tail
            }
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::super::Head;
    use super::*;

    /// Request line and headers in, canonical host and target out.
    fn canonical(head: &str) -> Result<String, Refusal> {
        let mut lines = head.lines().map(str::trim);
        let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
        let mut request = http::Request::builder().method(method).uri(uri);
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let head = Head::canonical(request.body(()).unwrap().into_parts().0, Scheme::Https)?;
        Ok(format!("{} {}", head.host, head.target.as_str()))
    }

    #[track_caller]
    fn check(target: &str, expected: Result<&str, Refusal>) {
        let seen = canonical(&format!("GET {target}\nhost: a"));
        let expected = expected.map(|path| format!("a {path}"));
        assert_eq!(seen, expected, "{target}");
    }

    #[test]
    fn one_path_has_one_form() {
        check("/", Ok("/"));
        check("/a/b", Ok("/a/b"));
        check("/a/", Ok("/a/"));
        check("/a;x=1/b", Ok("/a;x=1/b"));
        check("/%61%2d%7E", Ok("/a-~"));
        check("/%c3%bc?q=%2f&&r", Ok("/%C3%BC?q=%2f&&r"));
        check("/...", Ok("/..."));
    }

    #[test]
    fn a_path_with_two_readings_is_refused() {
        check("//a", Err(Refusal::EmptySegment));
        check("/a//b", Err(Refusal::EmptySegment));
        check("/a//", Err(Refusal::EmptySegment));
        check("/;a/b", Err(Refusal::EmptySegment));
        check("/a/../b", Err(Refusal::DotSegment));
        check("/a/.", Err(Refusal::DotSegment));
        check("/a/%2e%2E/b", Err(Refusal::DotSegment));
        check("/a/..;x/b", Err(Refusal::DotSegment));
        check("/a%2Fb", Err(Refusal::EncodedSlash));
        check("/a%5cb", Err(Refusal::EncodedSlash));
        check("/a%252fb", Err(Refusal::PercentEncoding));
        check("/a%zz", Err(Refusal::PercentEncoding));
        check("/a%2", Err(Refusal::PercentEncoding));
        check("/a/..%3bx/b", Err(Refusal::DotSegment));
        check("/a/%c0%ae%c0%ae/b", Err(Refusal::PercentEncoding));
        check("/a%c3/%bc", Err(Refusal::PercentEncoding));
        check("/a%00", Err(Refusal::PathByte));
        check("/a%0d%0a", Err(Refusal::PathByte));
    }

    #[test]
    fn host_and_target_agree() {
        let same = canonical("GET http://A.Example:443/x\nhost: a.example");
        assert_eq!(same.unwrap(), "a.example /x");
        let differs = canonical("GET http://a.example/x\nhost: b.example");
        assert_eq!(differs, Err(Refusal::HostMismatch));
        assert_eq!(canonical("GET /x"), Err(Refusal::Host));
        assert_eq!(canonical("GET /x\nhost: a\nhost: b"), Err(Refusal::DuplicateHeader));
        assert_eq!(canonical("GET /x\nhost: a,b"), Err(Refusal::Host));
        assert_eq!(canonical("GET /x\nhost: [::1]:8443").unwrap(), "[::1]:8443 /x");
        assert_eq!(canonical("GET /x\nhost: a:99999"), Err(Refusal::Host));
        assert_eq!(canonical("GET /x\nhost: a:+443"), Err(Refusal::Host));
        assert_eq!(canonical("GET /x\nhost: [1:2:3]"), Err(Refusal::Host));
        assert_eq!(canonical("GET ftp://a/x\nhost: a"), Err(Refusal::TargetForm));
        assert_eq!(canonical("GET http://a?x\nhost: a").unwrap(), "a /?x");
    }

    #[test]
    fn a_method_has_one_spelling() {
        for method in ["get", "Delete", "TRACK", "TRACE", "CONNECT"] {
            assert_eq!(
                canonical(&format!("{method} /x\nhost: a")),
                Err(Refusal::Method),
                "{method}"
            );
        }
        assert_eq!(canonical("PURGE /x\nhost: a").unwrap(), "a /x");
    }

    #[test]
    fn query_pairs_keep_order_and_lose_nothing() {
        let pairs: Vec<_> = query_pairs("a=1&a=2&b&c=%41+%zz&=x").collect();
        let expected = [("a", "1"), ("a", "2"), ("b", ""), ("c", "A %zz"), ("", "x")];
        assert_eq!(pairs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
