use super::super::{Head, Scheme};
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
        assert_eq!(canonical(&format!("{method} /x\nhost: a")), Err(Refusal::Method), "{method}");
    }
    assert_eq!(canonical("PURGE /x\nhost: a").unwrap(), "a /x");
}
