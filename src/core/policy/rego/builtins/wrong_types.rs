//! Arguments of a type that OPA refuses: an error of every builtin, never undefined, which `not`
//! would take for an answer, and never a value.

use std::collections::BTreeSet;

use regorus::unstable::BUILTINS;

use super::examples::answer;
use super::{all, reason_refused};

/// Of each builtin a call that is right, and the types that OPA's own declaration does not let each
/// argument have. Real OPA 1.22 answers each wrong type with an error but for [`OPA_ANSWERS`].
const TYPES: &str = include_str!("opa_types.json");

/// OPA answers: what is no text is not valid.
const OPA_ANSWERS: [&str; 7] = [
    "base64.is_valid",
    "json.is_valid",
    "net.cidr_is_valid",
    "regex.is_valid",
    "semver.is_valid",
    "uri.is_valid",
    "yaml.is_valid",
];

/// Builtins that no call of the table is made of, and why.
const NOT_CALLED: [(&str, &str); 13] = [
    ("crypto.parse_private_keys", "it takes keys: its own tests have them"),
    ("crypto.x509.parse_keypair", "it takes keys: its own tests have them"),
    ("crypto.x509.parse_rsa_private_key", "it takes keys: its own tests have them"),
    ("internal.template_string", "no policy calls it"),
    ("io.jwt.encode_sign", "it takes keys: its own tests have them"),
    ("io.jwt.encode_sign_raw", "it takes keys: its own tests have them"),
    ("print", "it takes anything"),
    ("test.panic_on", "a test of the panics has it"),
    ("time.now_ns", "it takes nothing"),
    ("trace", "it answers with its argument, which must be a string"),
    ("walk", "it takes anything"),
    ("__builtin_sets.intersection", "no policy calls it"),
    ("__builtin_sets.union", "no policy calls it"),
];

const fn example(kind: &str) -> &str {
    match kind.as_bytes() {
        b"null" => "null",
        b"boolean" => "true",
        b"number" => "1",
        b"string" => "\"a\"",
        b"array" => "[]",
        b"set" => "set()",
        _ => "{}",
    }
}

fn rows() -> Vec<(String, Vec<String>, Vec<String>)> {
    serde_json::from_str(TYPES).unwrap()
}

#[test]
fn a_wrong_type_is_an_error_and_never_undefined_nor_a_value() {
    let mut wrong = Vec::new();
    for (name, arguments, types) in rows() {
        if reason_refused(&name).is_some() {
            continue;
        }
        for (index, kinds) in types.iter().enumerate() {
            for kind in kinds.split_whitespace() {
                let mut arguments = arguments.clone();
                arguments[index] = example(kind).to_owned();
                let call = format!("{name}({})", arguments.join(", "));
                let is_right = match answer(&call) {
                    Ok(value) => OPA_ANSWERS.contains(&name.as_str()) && value == false,
                    Err(error) => error != "undefined" && !OPA_ANSWERS.contains(&name.as_str()),
                };
                if !is_right {
                    wrong.push(call);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_builtin_is_in_the_table_or_its_absence_has_a_reason() {
    let named: BTreeSet<String> = rows().into_iter().map(|(name, ..)| name).collect();
    let ours = all().map(|builtin| builtin.name);
    for name in BUILTINS.keys().copied().chain(ours) {
        let is_left_out = NOT_CALLED.iter().any(|(left_out, _)| *left_out == name);
        assert!(
            named.contains(name) || is_left_out || reason_refused(name).is_some(),
            "{name} is not held against wrong types"
        );
    }
}

#[track_caller]
fn check(call: &str, expected: &str) {
    let got = answer(call).map_or_else(|error| error, |value| value.to_string());
    assert_eq!(got, expected, "{call}");
}

#[test]
fn what_regorus_leaves_undefined_is_an_error_where_opa_has_one() {
    let patch = |patch: &str| format!("json.patch({{\"a\": 1}}, [{patch}])");
    for operation in [
        r#"{"op": "test", "path": "/a", "value": 2}"#,
        r#"{"op": "remove", "path": "/b"}"#,
        r#"{"op": "add", "path": "/b/c", "value": 1}"#,
        r#"{"op": "jump", "path": "/a"}"#,
        r#"{"path": "/a"}"#,
    ] {
        check(&patch(operation), "`json.patch`: it has no value for these arguments");
    }
    check(
        "array.slice([1, 2], 0.5, 2)",
        "`array.slice`: argument 2 must be an integer, not a number",
    );
    check("array.slice([1, 2], 0, 1e30)", "`array.slice`: argument 3 is too large a number");
    check("substring(\"abc\", 0, 1.5)", "`substring`: argument 3 must be an integer, not a number");
}

#[test]
fn a_shift_behind_the_last_bit_leaves_the_sign() {
    for shift in ["8193", "9007199254740993", "123456789012345678901"] {
        check(&format!("bits.rsh(16, {shift})"), "0");
        check(&format!("bits.rsh(-16, {shift})"), "-1");
    }
    check("bits.rsh(16, 2)", "4");
    check("bits.rsh(bits.lsh(1, 4096), 4090)", "64");
}

#[test]
fn what_is_undefined_in_opa_is_so_here() {
    for call in ["max([])", "min(set())", "uuid.parse(\"x\")"] {
        check(call, "undefined");
    }
}

#[test]
fn characters_are_counted_once() {
    check(r#"count("é𝒳")"#, "2");
}

#[test]
fn a_query_is_read_whole_or_is_an_error() {
    check(r#"urlquery.decode("a=#x")"#, "\"a=#x\"");
    check(r#"urlquery.decode("%zz")"#, "`urlquery.decode`: the query holds an invalid `%` escape");
    check(r#"urlquery.decode_object("a=1&a=%20&&b#=c=d")"#, r##"{"a":["1"," "],"b#":["c=d"]}"##);
    check(
        r#"urlquery.decode_object("a;b")"#,
        "`urlquery.decode_object`: the query holds a semicolon",
    );
    check(r#"urlquery.encode_object({"b": "~*", "a": {"z", "y y"}})"#, "\"a=y+y&a=z&b=~%2A\"");
}

#[test]
fn an_alias_of_yaml_is_refused_and_an_ampersand_is_text() {
    let refused = "the document has an alias, which may repeat without bound";
    for call in ["yaml.unmarshal", "yaml.is_valid"] {
        for text in ["a: &x 1\\nb: *x", "[&x [1], *x]", "{a: &x {}, b: *x}", "&x [*x]"] {
            check(&format!("{call}(\"{text}\")"), &format!("`{call}`: {refused}"));
        }
    }
    check(r#"yaml.unmarshal("a: x & y * z")"#, r#"{"a":"x & y * z"}"#);
    check(r#"yaml.unmarshal("a: &x 1\nb: '2*x'")"#, r#"{"a":1,"b":"2*x"}"#);
}

#[test]
fn paths_lead_where_they_do_in_opa() {
    check(r#"json.filter({"a": {"b": 1, "c": 2}}, ["a", "a/b"])"#, r#"{"a":{"b":1,"c":2}}"#);
    check(r#"json.filter({"a": [1, 2, 3]}, ["//a/2", ["a", "0"], ["a", 1]])"#, r#"{"a":[1,3]}"#);
    check(r#"json.filter({"a": 1, "b": 2}, ["a/x", ""])"#, r#"{"a":1}"#);
    check(r#"json.filter({"a/b": 1, "c": 2}, ["a~1b"])"#, r#"{"a/b":1}"#);
    check(r#"json.remove({"a": {"b": 1}}, ["a", "a/b"])"#, "{}");
    check(r#"json.remove({"a": [1, [2, 3]]}, ["a/1/0", ["a", 0], []])"#, r#"{"a":[1,[3]]}"#);
    check(r#"json.remove({"a": {"x", "y"}}, ["a/x"])"#, r#"{"a":["y"]}"#);
    check(
        r#"json.remove({"a": 1}, [1])"#,
        "`json.remove`: a path must be a string or an array, not a number",
    );
}
