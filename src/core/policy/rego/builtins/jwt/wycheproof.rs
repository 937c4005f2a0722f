//! The JWS and JWK vectors of Project Wycheproof, where they lie beside the repository.

use std::collections::BTreeSet;
use std::io::Write as _;

use regorus::Value;

use super::decode_verify::is_signature_right;

/// Cases that we answer otherwise, and why. None of them is one that we alone accept: OPA does too.
const EXPECTED: &[(&str, &[u32], &str)] = &[
    ("json_web_signature_test", &[346, 350], "a key that names PS256 is not used for PS384"),
    ("json_web_signature_test", &[347, 351], "`ES521` is no algorithm: the key is left out"),
    ("json_web_signature_test", &[353, 354, 355, 356], "OPA reads no `use` and no `key_ops`"),
    ("json_web_signature_test", &[367, 370, 375], "OPA reads base64 with padding, and spare bits"),
    ("json_web_signature_test", &[372, 373], "a byte that is not base64 is an error, not skipped"),
    ("json_web_crypto_test", &[46], "OPA does not look for weak RSA keys"),
    ("json_web_crypto_test", &[47], "OPA reads secrets and public keys in one set"),
    ("json_web_crypto_test", &[50, 67], "encrypted tokens are not read"),
    ("json_web_key_test", &[1], "OPA reads secrets and public keys in one set"),
    ("json_web_key_test", &[4], "of two keys with one ID the first counts"),
    ("json_web_key_test", &[7], "OPA does not look for weak RSA keys"),
    ("json_web_key_test", &[10, 11, 12], "OPA accepts a short secret, which a policy chooses"),
    ("json_web_key_test", &[21], "OPA reads no `use`"),
];

#[expect(clippy::disallowed_methods, reason = "the vectors are files")]
fn vectors(name: &str) -> Option<Value> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures/wycheproof");
    let text = std::fs::read_to_string(format!("{root}/testvectors_v1/{name}.json")).ok()?;
    Some(Value::from_json_str(&text).unwrap())
}

/// The cases that we answer otherwise than the file wants.
fn differences(vectors: &Value) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for group in vectors["testGroups"].as_array().unwrap().iter() {
        let of = |name: &str| group.as_object().unwrap().get(&Value::from(name)).cloned();
        let keys = of("public").or_else(|| of("private")).unwrap();
        let keys = serde_json::to_string(&keys).unwrap();
        for test in group["tests"].as_array().unwrap().iter() {
            // A token in JSON form is passed as its text.
            let token = match &test["jws"] {
                Value::String(text) => text.to_string(),
                other => serde_json::to_string(other).unwrap(),
            };
            let is_wanted = test["result"] == Value::from("valid");
            if is_signature_right(&token, &keys) != is_wanted {
                found.insert(test["tcId"].as_u32().unwrap());
            }
        }
    }
    found
}

#[test]
fn signatures_are_judged_as_wycheproof_does_but_for_what_is_listed() {
    for name in ["json_web_signature_test", "json_web_crypto_test", "json_web_key_test"] {
        let Some(vectors) = vectors(name) else {
            let _ = writeln!(std::io::stderr(), "skipped: no fixtures");
            return;
        };
        let listed = EXPECTED.iter().filter(|(file, ..)| *file == name);
        let listed: BTreeSet<u32> = listed.flat_map(|(_, ids, _)| ids.iter().copied()).collect();
        assert_eq!(differences(&vectors), listed, "{name}");
    }
}
