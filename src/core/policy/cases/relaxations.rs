//! A case says what its route keeps that another would refuse or remove: a request that no route
//! lets through by default is otherwise a test of nothing.

use http::header::HOST;

use crate::request::{Draft, Head, Protocol, Relaxed};

const WORDS: [&str; 4] =
    ["encoded_slashes", "empty_segments", "underscore_headers", "forwarded_headers"];

/// Adds the relaxation of this name.
pub(super) fn add(relaxed: &mut Relaxed, word: &str) -> Result<(), String> {
    match word {
        "encoded_slashes" => relaxed.encoded_slashes = true,
        "empty_segments" => relaxed.empty_segments = true,
        "underscore_headers" => relaxed.underscore_headers = true,
        "forwarded_headers" => relaxed.forwarded_headers = true,
        _ => {
            let known = WORDS.map(|word| format!("`{word}`")).join(", ");
            return Err(format!("`relax` holds `{word}`; known are {known}"));
        }
    }
    Ok(())
}

/// Whether a route with these relaxations lets a head through as it is.
pub(super) fn check(head: &Head, relaxed: Relaxed) -> Result<(), String> {
    let mut needed = Vec::new();
    for word in WORDS {
        let mut without = Relaxed::ALL;
        match word {
            "encoded_slashes" => without.encoded_slashes = relaxed.encoded_slashes,
            "empty_segments" => without.empty_segments = relaxed.empty_segments,
            "underscore_headers" => without.underscore_headers = relaxed.underscore_headers,
            _ => without.forwarded_headers = relaxed.forwarded_headers,
        }
        if !is_kept(head, without) {
            needed.push(word);
        }
    }
    if needed.is_empty() {
        return Ok(());
    }
    let needed = needed.join(", ");
    Err(format!(
        "no route lets this request through as it is unless it relaxes `{needed}`; if the route does, \
         write `relax: [{needed}]` in the case"
    ))
}

fn is_kept(head: &Head, relaxed: Relaxed) -> bool {
    let mut request = http::Request::new(());
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = http::Uri::from(head.target.clone());
    *request.headers_mut() = head.headers.clone();
    if head.protocol == Protocol::Http2 {
        *request.version_mut() = http::Version::HTTP_2;
    }
    if let Ok(host) = http::HeaderValue::from_str(&head.host) {
        request.headers_mut().insert(HOST, host);
    }
    let again = Draft::read(request.into_parts().0, head.scheme);
    let again = again.and_then(|draft| draft.settle(relaxed));
    again
        .is_ok_and(|again| again.target == head.target && again.headers.len() == head.headers.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::AccessRequest;

    #[track_caller]
    fn check(path: &str, header: &str, words: &[&str], expected: Result<(), &str>) {
        let description = json!({"path": path, "headers": {header: "a"}});
        let request = AccessRequest::described(&description).unwrap();
        let mut relaxed = Relaxed::default();
        words.iter().for_each(|word| add(&mut relaxed, word).unwrap());
        match (super::check(&request.head, relaxed), expected) {
            (Ok(()), Ok(())) => {}
            (Err(seen), Err(expected)) => assert!(seen.contains(expected), "{seen}"),
            (seen, expected) => panic!("{seen:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_head_that_some_routes_refuse_needs_a_word() {
        check("/a/b", "x-tenant", &[], Ok(()));
        check("/a//b", "x-tenant", &[], Err("relax: [empty_segments]"));
        check("/a//b", "x-tenant", &["empty_segments"], Ok(()));
        check("/a%2Fb", "x-tenant", &["empty_segments"], Err("relax: [encoded_slashes]"));
        check("/a%2Fb", "x-tenant", &["encoded_slashes"], Ok(()));
        check("/a", "x_user", &[], Err("relax: [underscore_headers]"));
        check("/a", "x_user", &["underscore_headers"], Ok(()));
        check("/a", "x-forwarded-for", &[], Err("relax: [forwarded_headers]"));
        check("/a", "x-forwarded-for", &["forwarded_headers"], Ok(()));
        let both = Err("relax: [empty_segments, forwarded_headers]");
        check("/a//b", "x-forwarded-for", &[], both);
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_known_ones() {
        let error = add(&mut Relaxed::default(), "slashes").unwrap_err();
        assert!(error.contains("`empty_segments`"), "{error}");
    }
}
