use serde_json::{Value, json};

use super::*;

#[track_caller]
fn check(document: Value, expected: Value) {
    assert_eq!(masked(&document), expected);
}

#[test]
fn only_the_headers_that_hold_no_secret_are_shown() {
    check(
        json!({"headers": {"authorization": "Bearer abc", "Accept": "text/html", "x-tenant": ["a"]}}),
        json!({"headers": {"authorization": "***", "Accept": "text/html", "x-tenant": "***"}}),
    );
    let envoy =
        |value: &str| json!({"attributes": {"request": {"http": {"headers": {"cookie": value}}}}});
    check(envoy("s=1"), envoy("***"));
}

#[test]
fn values_of_the_query_bodies_and_claims_are_not_shown_but_what_is_asked_is() {
    check(
        json!({"path": "/orders/1?token=abc&all", "method": "GET", "source": "spiffe://td/shop"}),
        json!({"path": "/orders/1?token=***&all", "method": "GET", "source": "spiffe://td/shop"}),
    );
    check(
        json!({"query": {"limit": ["5"]}, "body": {"a": 1}, "source": {"path": "/shop"},
            "jwt": {"claims": {"sub": "ann"}}}),
        json!({"query": {"limit": "***"}, "body": "***", "source": {"path": "/shop"}, "jwt": "***"}),
    );
}

/// The secrets of one document; `text` as it is shown.
#[track_caller]
fn check_text(document: Value, text: &str, expected: &str) {
    let mut secrets = Secrets::default();
    secrets.add_document(&document);
    assert_eq!(secrets.hide(text), expected);
}

#[test]
fn a_secret_is_taken_out_of_any_text_in_whatever_form_a_policy_sees_it() {
    let basic = json!({"headers": {"authorization": "Basic YW5uOmh1bnRlcjI="}});
    check_text(basic.clone(), "got Basic YW5uOmh1bnRlcjI= here", "got *** here");
    check_text(basic.clone(), "YW5uOmh1bnRlcjI=", "***=");
    check_text(basic.clone(), "the password is hunter2", "the password is ***");
    check_text(basic, "the method is GET", "the method is GET");
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2ItdGhlLWJ1aWxkZXIifQ.c2ln";
    let bearer = json!({"headers": {"authorization": [format!("Bearer {token}")]}});
    check_text(bearer, "sub is bob-the-builder", "sub is ***");
    check_text(json!({}), &format!("some {token} of another place"), "some *** of another place");
    check_text(json!({"path": "/a?k=s%C3%A9cret"}), "it is sécret", "it is ***");
}

#[test]
fn a_short_secret_is_hidden_where_it_is_the_whole_value() {
    let document = json!({"headers": {"x-pin": "123"}});
    check_text(document.clone(), "123", "***");
    check_text(document.clone(), "line 123 of it", "line 123 of it");
    let mut secrets = Secrets::default();
    secrets.add_document(&document);
    let seen = secrets.hide_value(&json!({"a": "123", "b": 123, "path": "/a", "token": 7}));
    assert_eq!(seen, json!({"a": "***", "b": "***", "path": "/a", "token": "***"}));
}

#[test]
fn words_of_a_secret_are_no_words_of_an_error() {
    let mut secrets = Secrets::default();
    secrets.add_all(["s3cr3t expected"]);
    let seen = error_text_of("value expected: 's3cr3t'", |word| secrets.holds(word));
    assert_eq!(seen, "value *** ***");
    assert_eq!(error_text_of("field expected", |_| false), "field expected");
}
