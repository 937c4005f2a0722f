//! The words of Envoy's plugin, and those that follow from others, led back to what a request is made of.

use serde_json::{Value, json};

use super::recipe::Step;

/// Where a request holds what Envoy's plugin shows at a place; a native place is itself.
pub(super) fn native(steps: &[Step]) -> Vec<Step> {
    const NAMES: [(&[&str], &[&str]); 10] = [
        (&["attributes", "request", "http", "headers"], &["request", "headers"]),
        (&["attributes", "request", "http"], &["request"]),
        (&["attributes", "source", "principal"], &["source", "spiffe_id"]),
        (
            &["attributes", "source", "address", "socketAddress", "address"],
            &["source", "address", "ip"],
        ),
        (
            &["attributes", "source", "address", "socketAddress", "portValue"],
            &["source", "address", "port"],
        ),
        (&["attributes", "tlsSession"], &["tls"]),
        (&["source_principal"], &["source", "spiffe_id"]),
        (&["parsed_path"], &["request", "segments"]),
        (&["parsed_query"], &["request", "query"]),
        (&["parsed_body"], &["request", "body"]),
    ];
    let is_key = |step: &Step, name: &str| matches!(step, Step::Key(key) if key == name);
    for (theirs, ours) in NAMES {
        let is_there = steps.len() >= theirs.len()
            && steps.iter().zip(theirs).all(|(step, name)| is_key(step, name));
        if is_there {
            let ours = ours.iter().map(|name| Step::Key((*name).to_owned()));
            let mut native: Vec<Step> =
                ours.chain(steps.iter().skip(theirs.len()).cloned()).collect();
            // Headers are lists here and texts there.
            if theirs.last() == Some(&"headers") && native.len() == 3 {
                native.push(Step::Index(0));
            }
            return native;
        }
    }
    steps.to_vec()
}

/// Writes what follows from other words into those: a path out of its segments, an ID out of its
/// parts.
pub(super) fn settle(document: &mut Value) {
    if let Some(request) = document.get_mut("request").and_then(Value::as_object_mut)
        && let Some(segments) = request.shift_remove("segments")
    {
        request.insert("path".to_owned(), json!(path_of(&segments)));
    }
    let Some(source) = document.get_mut("source").and_then(Value::as_object_mut) else { return };
    let [domain, path, segments] =
        ["trust_domain", "path", "segments"].map(|key| source.shift_remove(key));
    let path =
        segments.map(|segments| path_of(&segments)).or_else(|| Some(path?.as_str()?.to_owned()));
    if domain.is_some() || path.is_some() {
        let domain = domain.as_ref().and_then(Value::as_str).unwrap_or("demo.test");
        let path = path.unwrap_or_else(|| "/ns/shop/sa/web".to_owned());
        source.insert("spiffe_id".to_owned(), json!(format!("spiffe://{domain}{path}")));
    }
}

fn path_of(segments: &Value) -> String {
    let segments = segments.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<_> = segments.iter().map(|segment| segment.as_str().unwrap_or("a")).collect();
    format!("/{}", texts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[track_caller]
    fn check(theirs: &[&str], expected: &str) {
        let steps: Vec<_> = theirs.iter().map(|key| Step::Key((*key).to_owned())).collect();
        assert_eq!(places::shown(&native(&steps)), expected);
    }

    #[test]
    fn the_words_of_envoys_plugin_are_led_back() {
        check(&["attributes", "request", "http", "method"], "request.method");
        check(&["attributes", "request", "http", "headers", "a"], "request.headers.a[0]");
        check(&["attributes", "source", "principal"], "source.spiffe_id");
        check(&["parsed_body", "risk"], "request.body.risk");
        check(&["request", "path"], "request.path");
        let mut document = json!({"request": {"segments": ["a", "b"]}, "source": {"path": "/c"}});
        settle(&mut document);
        assert_eq!(document["request"], json!({"path": "/a/b"}));
        assert_eq!(document["source"], json!({"spiffe_id": "spiffe://demo.test/c"}));
    }
}
