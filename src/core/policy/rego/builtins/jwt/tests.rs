//! Tokens that are minted here, each accepted one with those that differ in one thing.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use regorus::Value;

use super::super::crypto::base64_url;
use super::super::{all, set_now};
use crate::Timestamp;

/// `secret` in base64url, and another.
const SECRET: &str = r#"{"kty":"oct","k":"c2VjcmV0"}"#;
const OTHER: &str = r#"{"kty":"oct","k":"b3RoZXI"}"#;
/// RFC 8037, A.1.
const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const ED_PUBLIC: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const NOW: i64 = 1_800_000_000;

/// The value of a call at [`NOW`] as JSON, or its error.
fn call(name: &str, arguments: &[Value]) -> String {
    set_now(Timestamp::from_unix_seconds(NOW));
    let builtin = all().find(|builtin| builtin.name == name).unwrap();
    assert_eq!(arguments.len(), usize::from(builtin.arity));
    match (builtin.run)(arguments) {
        Ok(value) => serde_json::to_string(&value).unwrap(),
        Err(error) => format!("error: {error}"),
    }
}

fn text(json: &str) -> Value {
    Value::from(json)
}

/// A signed token.
#[track_caller]
fn mint(header: &str, payload: &str, key: &str) -> String {
    let minted = call("io.jwt.encode_sign_raw", &[text(header), text(payload), text(key)]);
    assert!(!minted.starts_with("error"), "{minted}");
    minted.trim_matches('"').to_owned()
}

fn hs256(payload: &str) -> String {
    mint(r#"{"alg":"HS256"}"#, payload, SECRET)
}

/// `true`, `false` or the error of `io.jwt.decode_verify`.
fn verdict(token: &str, constraints: &str) -> String {
    let constraints = Value::from_json_str(constraints).unwrap();
    let answer = call("io.jwt.decode_verify", &[text(token), constraints]);
    match answer.strip_prefix("[true,") {
        Some(_) => "true".to_owned(),
        None if answer == "[false,{},{}]" => "false".to_owned(),
        None => answer,
    }
}

#[track_caller]
fn check(token: &str, constraints: &str, expected: &str) {
    assert_eq!(verdict(token, constraints), expected);
}

const BY_SECRET: &str = r#"{"secret":"secret"}"#;

#[test]
fn a_token_is_accepted_with_its_key_only() {
    let token = hs256(r#"{"sub":"a"}"#);
    check(&token, BY_SECRET, "true");
    check(&token, r#"{"secret":"other"}"#, "false");
    check(&token, r#"{"secret":"secret","alg":"HS256"}"#, "true");
    check(&token, r#"{"secret":"secret","alg":"HS384"}"#, "false");
    check(&token, r#"{"alg":"HS256"}"#, "error: no key constraint");
    check(
        &token,
        r#"{"secret":"secret","cert":"{\"keys\":[]}"}"#,
        "error: duplicate key constraints",
    );
    check(
        &token,
        r#"{"secret":"secret","audience":"a"}"#,
        "error: unknown token validation constraint: audience",
    );
    assert_eq!(call("io.jwt.verify_hs256", &[text(&token), text("secret")]), "true");
    assert_eq!(call("io.jwt.verify_hs256", &[text(&token), text("other")]), "false");
    assert_eq!(call("io.jwt.verify_hs512", &[text(&token), text("secret")]), "false");
}

#[test]
fn a_token_that_was_changed_is_refused() {
    let token = hs256(r#"{"sub":"a"}"#);
    let parts: Vec<_> = token.split('.').collect();
    let payload = base64_url(br#"{"sub":"b"}"#);
    let header = base64_url(br#"{"alg":"HS256","a":1}"#);
    check(&format!("{}.{payload}.{}", parts[0], parts[2]), BY_SECRET, "false");
    check(&format!("{header}.{}.{}", parts[1], parts[2]), BY_SECRET, "false");
    check(&format!("{}.{}.", parts[0], parts[1]), BY_SECRET, "false");
    let short = parts[2].get(..40).unwrap();
    check(&format!("{}.{}.{short}", parts[0], parts[1]), BY_SECRET, "false");
    check(token.get(..10).unwrap(), BY_SECRET, "error: encoded JWT had no period separators");
}

#[test]
fn no_algorithm_is_none_and_none_is_taken_for_another() {
    for alg in ["none", "None", "", "hs256", "HS1"] {
        let header = base64_url(format!(r#"{{"alg":"{alg}"}}"#).as_bytes());
        check(&format!("{header}.e30."), BY_SECRET, "false");
    }
    // The public key as a secret.
    let confused = mint(r#"{"alg":"HS256"}"#, "{}", &oct(ED_PUBLIC));
    let by_key = format!(r#"{{"cert":{}}}"#, serde_json::to_string(ED_PUBLIC).unwrap());
    check(&confused, &by_key, "false");
    check(&mint(r#"{"alg":"EdDSA"}"#, "{}", ED), &by_key, "true");
    assert_eq!(call("io.jwt.verify_eddsa", &[text(&confused), text(ED_PUBLIC)]), "false");
    assert_eq!(call("io.jwt.verify_rs256", &[text(&confused), text(ED_PUBLIC)]), "false");
}

/// A text as the secret of an HMAC.
fn oct(secret: &str) -> String {
    format!(r#"{{"kty":"oct","k":"{}"}}"#, base64_url(secret.as_bytes()))
}

#[test]
fn claims_are_judged_at_the_time_of_the_request() {
    check(&hs256(r#"{"exp":1800000001}"#), BY_SECRET, "true");
    check(&hs256(r#"{"exp":1800000000}"#), BY_SECRET, "false");
    check(&hs256(r#"{"nbf":1800000000}"#), BY_SECRET, "true");
    check(&hs256(r#"{"nbf":1800000000.5}"#), BY_SECRET, "false");
    check(&hs256(r#"{"exp":"1900000000"}"#), BY_SECRET, "error: exp value must be a number");
    check(&hs256(r#"{"exp":5}"#), r#"{"secret":"secret","time":4000000000}"#, "true");
    check(&hs256(r#"{"exp":5}"#), r#"{"secret":"secret","time":5000000000}"#, "false");
    // The last of two members counts, as it does in OPA.
    check(&hs256(r#"{"exp":1,"exp":1900000000}"#), BY_SECRET, "true");
    check(&hs256(r#"{"exp":1900000000,"exp":1}"#), BY_SECRET, "false");
}

#[test]
fn a_token_for_somebody_needs_an_audience() {
    let for_a = r#"{"secret":"secret","aud":"a"}"#;
    check(&hs256(r#"{"aud":"a"}"#), for_a, "true");
    check(&hs256(r#"{"aud":["b","a"]}"#), for_a, "true");
    check(&hs256(r#"{"aud":"b"}"#), for_a, "false");
    check(&hs256(r#"{"aud":{"a":"a"}}"#), for_a, "false");
    check(&hs256("{}"), for_a, "false");
    check(&hs256(r#"{"aud":"a"}"#), BY_SECRET, "false");
    let by_issuer = r#"{"secret":"secret","iss":"i"}"#;
    check(&hs256(r#"{"iss":"i"}"#), by_issuer, "true");
    check(&hs256(r#"{"iss":["i"]}"#), by_issuer, "false");
    check(&hs256("{}"), by_issuer, "false");
}

#[test]
fn what_is_critical_must_be_known() {
    let with = |header: &str| mint(header, "{}", SECRET);
    check(&with(r#"{"alg":"HS256","b64":true}"#), BY_SECRET, "true");
    check(&with(r#"{"alg":"HS256","b64":true,"crit":["b64"]}"#), BY_SECRET, "false");
    check(&with(r#"{"alg":"HS256","crit":["absent"]}"#), BY_SECRET, "false");
    check(&with(r#"{"alg":"HS256","crit":[]}"#), BY_SECRET, "error: crit: must be a nonempty list");
    check(
        &with(r#"{"alg":"HS256","enc":"x"}"#),
        BY_SECRET,
        "error: JWT is a JWE object, which is not supported",
    );
}

/// A token in tokens, each signed.
fn nested(levels: usize, outer: &str) -> String {
    let mut token = hs256(r#"{"sub":"a"}"#);
    for level in 1..levels {
        let key = if level + 1 == levels { outer } else { SECRET };
        let payload = base64_url(token.as_bytes());
        let header = base64_url(br#"{"alg":"HS256","cty":"JWT"}"#);
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key_bytes(key));
        let tag = aws_lc_rs::hmac::sign(&key, format!("{header}.{payload}").as_bytes());
        token = format!("{header}.{payload}.{}", base64_url(tag.as_ref()));
    }
    token
}

fn key_bytes(jwk: &str) -> &'static [u8] {
    if jwk == SECRET { b"secret" } else { b"other" }
}

#[test]
fn each_of_nested_tokens_is_verified_and_there_are_few() {
    check(&nested(4, SECRET), BY_SECRET, "true");
    check(&nested(3, OTHER), BY_SECRET, "false");
    check(&nested(5, SECRET), BY_SECRET, "error: JWT holds more than 4 tokens in each other");
    let decoded = call("io.jwt.decode", &[text(&nested(4, OTHER))]);
    assert!(decoded.starts_with(r#"[{"alg":"HS256"},{"sub":"a"},""#), "{decoded}");
    let decoded = call("io.jwt.decode", &[text(&nested(5, OTHER))]);
    assert_eq!(decoded, "error: JWT holds more than 4 tokens in each other");
}

#[test]
fn a_token_that_is_too_long_is_an_error() {
    let long = |length: usize| format!("e30.e30.{}", "A".repeat(length - 8));
    check(&long(64 << 10), BY_SECRET, "false");
    let expected = "error: operand 1 has 65537 bytes, and at most 65536 are read";
    check(&long((64 << 10) + 1), BY_SECRET, expected);
}

/// A P-256 key as a JWK with this `kid`, and its signature of a token.
fn ec(kid: Option<&str>) -> (String, String) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let kid = kid.map_or(String::new(), |kid| format!(r#","kid":"{kid}""#));
    let jwk = format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"{kid}}}"#,
        base64_url(x),
        base64_url(y)
    );
    let header = base64_url(format!(r#"{{"alg":"ES256"{kid}}}"#).as_bytes());
    let signed = format!("{header}.e30");
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    (jwk, format!("{signed}.{}", base64_url(signature.as_ref())))
}

fn set(keys: &[String]) -> Value {
    Value::from(format!(r#"{{"keys":[{}]}}"#, keys.join(",")))
}

#[test]
fn a_set_of_keys_is_tried_key_by_key_up_to_a_limit() {
    let others: Vec<_> = (0..8).map(|_| ec(None).0).collect();
    let (own, token) = ec(None);
    let of = |others: &[String]| [others, std::slice::from_ref(&own)].concat();
    let verify = |keys: &[String]| call("io.jwt.verify_es256", &[text(&token), set(keys)]);
    assert_eq!(verify(&of(&others[..7])), "true");
    assert_eq!(verify(&others[..7]), "false");
    assert!(verify(&of(&others)).starts_with("error: too many keys could be the token's"));
    let many = vec![own.clone(); 65];
    assert!(verify(&many).starts_with("error: failed to parse a JWK key (set): it has 65 keys"));
}

#[test]
fn a_key_id_names_the_only_key_that_is_tried() {
    let (own, token) = ec(Some("a"));
    let (other, _) = ec(Some("a"));
    let (elsewhere, _) = ec(Some("b"));
    let verify = |keys: &[String]| call("io.jwt.verify_es256", &[text(&token), set(keys)]);
    assert_eq!(verify(&[elsewhere.clone(), own.clone()]), "true");
    assert_eq!(verify(&[other, own.clone()]), "false");
    // A key that names another algorithm is for that one only.
    let named = |alg: &str| own.replace(r#""kty""#, &format!(r#""alg":"{alg}","kty""#));
    assert_eq!(verify(&[named("ES256")]), "true");
    assert_eq!(verify(&[named("ES384")]), "false");
    assert_eq!(verify(&[elsewhere]), "false");
}

#[test]
fn only_signatures_that_repeat_are_made() {
    let sign = |alg: &str, key: &str| {
        let header = format!(r#"{{"alg":"{alg}"}}"#);
        call("io.jwt.encode_sign_raw", &[text(&header), text("{}"), text(key)])
    };
    assert_eq!(sign("HS256", SECRET), sign("HS256", SECRET));
    assert_eq!(sign("EdDSA", ED), sign("EdDSA", ED));
    for alg in ["ES256", "PS256"] {
        assert!(sign(alg, SECRET).contains("signature is not deterministic"), "{alg}");
    }
    assert_eq!(sign("HS256", ED), "error: the key is not of the kind of the algorithm");
    assert_eq!(sign("RS256", SECRET), "error: the key is not of the kind of the algorithm");
}

#[test]
fn no_error_quotes_a_token_or_a_key() {
    let secret = "c2VjcmV0LXRoYXQtaXMtbmV2ZXItc2hvd24";
    let wrong = format!(r#"{{"kty":"EC","crv":"P-256","x":"{secret}","y":"!{secret}"}}"#);
    for (token, key) in [
        ("e30.e30.e30", wrong.as_str()),
        ("e30.e30.e30", secret),
        (&format!("{secret}!.e30.e30"), ED_PUBLIC),
        (&format!("{secret}.e30.e30"), ED_PUBLIC),
    ] {
        let error = call("io.jwt.verify_es256", &[text(token), text(key)]);
        assert!(error.starts_with("error: "), "{error}");
        assert!(!error.contains(secret.get(..8).unwrap()), "{error}");
    }
}
