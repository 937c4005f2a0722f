//! The `spiffe` crate's JWT-SVID verifier. It asks the system's clock, so the cases about time are minted
//! here anew; every other case expires in 2100.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portreeve_core::Timestamp;
use portreeve_core::spiffe::{JwtAuthorities, TrustDomain};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

/// Where it judges otherwise, and why.
const DIFFERENCES: &[(&str, &[&str])] = &[
    ("its signature library has no ES512", &["algorithms: ES512"]),
    (
        "it wants a `kid`, which JWT-SVID §2.2 leaves optional",
        &["keys: no key named, and one of two is of use", "keys: no key named, and one there"],
    ),
    (
        "an entry that it cannot read costs the bundle, of which SPIFFE bundle §4.1.3 lets us ignore one",
        &["bundles: a bundle with an entry that is no key"],
    ),
    (
        "of two entries of one `kid` the last counts, whatever it is for; we use neither of two keys",
        &[
            "keys: a key of the same name for something else",
            "keys: one key two times",
            "keys: two keys of one name the other way round",
        ],
    ),
    (
        "of two members of one name the last counts, but for the header and the claims that it reads",
        &[
            "bundles: a bundle with a key's number twice",
            "bundles: a bundle with its keys twice",
            "subject: a member twice within a claim",
        ],
    ),
    ("a published private key is used", &["keys: an entry with its private part"]),
    ("weak generators are not looked for", &["keys: an RSA key of a broken generator"]),
    (
        "IDs are made canonical, not refused",
        &["subject: a scheme in upper case", "subject: a trust domain in upper case"],
    ),
    ("an ID has no limit", &["subject: a subject that is too long"]),
    (
        "a trust domain's own ID is accepted as a workload's",
        &["subject: the ID of the trust domain"],
    ),
    ("a token has no limit", &["form: a token that is too long"]),
    (
        "what it does not read of the claims is skipped, not parsed",
        &[
            "subject: claims of 17 levels",
            "subject: claims of 5001 levels",
            "subject: claims that are not UTF-8",
            "subject: claims with a lone surrogate",
            "subject: claims with a number that is too large",
            "subject: claims with an overlong letter",
        ],
    ),
];

struct Question<'a> {
    token: &'a str,
    bundles: BTreeMap<String, String>,
    audience: Vec<String>,
}

impl Question<'_> {
    fn ours(&self, time: Timestamp) -> bool {
        let bundles = self.bundles.iter();
        let bundles =
            bundles.map(|(name, text)| (TrustDomain::parse(name).unwrap(), text.as_bytes()));
        let authorities = JwtAuthorities::new(bundles);
        authorities.verify(self.token, &self.audience, time, Duration::from_secs(5)).is_ok()
    }

    /// A bundle that it cannot read is one that is not there.
    fn theirs(&self) -> bool {
        let mut set = spiffe::JwtBundleSet::new();
        for (name, text) in &self.bundles {
            let name = spiffe::TrustDomain::new(name).unwrap();
            if let Ok(bundle) = spiffe::JwtBundle::from_jwt_authorities(name, text.as_bytes()) {
                set.add_bundle(bundle);
            }
        }
        spiffe::JwtSvid::parse_and_validate(self.token, &set, &self.audience).is_ok()
    }
}

/// The committed cases whose answer does not depend on when they are asked.
fn cases() -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/spiffe-jwt/cases");
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap() != "times.json" {
            let text = std::fs::read_to_string(path).unwrap();
            all.extend(serde_json::from_str::<Vec<Value>>(&text).unwrap());
        }
    }
    all
}

#[test]
fn the_spiffe_crate_judges_tokens_as_we_do_but_for_what_is_listed() {
    let mut found = BTreeSet::new();
    let cases = cases();
    assert!(cases.len() > 300);
    for case in &cases {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let bundles = case["bundles"].as_object().unwrap();
        let question = Question {
            token: case["token"].as_str().unwrap(),
            bundles: bundles.iter().map(|(name, set)| (name.clone(), text(set))).collect(),
            audience: serde_json::from_value(case["audience"].clone()).unwrap(),
        };
        let time = Timestamp::parse(case["time"].as_str().unwrap()).unwrap();
        let (ours, theirs) = (question.ours(time), question.theirs());
        assert_eq!(ours, case.get("expected_id").is_some(), "{}", case["id"]);
        if ours != theirs {
            found.insert(case["id"].as_str().unwrap());
        }
    }
    let listed: BTreeSet<_> = DIFFERENCES.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    let unlisted: Vec<_> = found.difference(&listed).collect();
    let agreed: Vec<_> = listed.difference(&found).collect();
    assert!(
        unlisted.is_empty() && agreed.is_empty(),
        "not listed: {unlisted:#?}\nnot found: {agreed:#?}"
    );
}

/// Claims by seconds from now: what we say, and what it says.
#[test]
#[expect(clippy::disallowed_methods, reason = "the other verifier asks the same clock")]
fn times_are_judged_as_the_spiffe_crate_does_but_for_leeway_and_iat() {
    let key = KeyPair::generate().unwrap();
    let point = key.der_bytes();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    for (claims, ours, theirs) in [
        (json!({ "exp": now + 60 }), true, true),
        (json!({ "exp": now - 60 }), false, false),
        (json!({ "exp": now - 3 }), true, false), // our leeway
        (json!({}), false, false),
        (json!({ "exp": "9999999999" }), false, false),
        (json!({ "exp": now + 60, "nbf": now - 60 }), true, true),
        (json!({ "exp": now + 60, "nbf": now + 40 }), false, false),
        (json!({ "exp": now + 60, "nbf": null }), false, false),
        (json!({ "exp": now + 60, "nbf": now as f64 - 9.5 }), true, true),
        // It wants whole seconds here, and does not look at `iat`.
        (json!({ "exp": now as f64 + 60.5 }), true, false),
        (json!({ "exp": now + 60, "iat": now + 40 }), false, true),
        (json!({ "exp": now + 60, "iat": "0" }), false, true),
    ] {
        let mut all = json!({ "sub": "spiffe://a.test/web", "aud": ["us"] });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(String::from("one"));
        let signing = EncodingKey::from_ec_der(key.serialized_der());
        let token = jsonwebtoken::encode(&header, &all, &signing).unwrap();
        let question = Question {
            token: &token,
            bundles: BTreeMap::from([(String::from("a.test"), key_set(point))]),
            audience: vec![String::from("us")],
        };
        let seen = (question.ours(Timestamp::from_unix_seconds(now)), question.theirs());
        assert_eq!(seen, (ours, theirs), "{claims}");
    }
}

fn key_set(point: &[u8]) -> String {
    use base64::Engine as _;
    let encoded = |bytes| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = point.split_at(1).1.split_at(32);
    let (x, y) = (encoded(x), encoded(y));
    json!({ "keys": [{ "kty": "EC", "kid": "one", "crv": "P-256", "x": x, "y": y }] }).to_string()
}
