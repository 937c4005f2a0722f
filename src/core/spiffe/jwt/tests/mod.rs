mod claims;
mod keys;
mod signer;

use serde_json::json;

use self::signer::Signer;
use super::*;

const NOW: i64 = 1_800_000_000;

/// A trust domain `a.test` with one ES256 key.
fn signer() -> Signer {
    Signer::new("ES256", "one")
}

fn claims() -> Value {
    json!({ "sub": "spiffe://a.test/web", "aud": ["us"], "exp": NOW + 60, "iat": NOW })
}

/// The claims with one replaced, or taken away by null.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.shift_remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    claims
}

fn authorities(trust_domain: &str, keys: &[Value]) -> JwtAuthorities {
    let set = json!({ "keys": keys }).to_string();
    JwtAuthorities::new([(TrustDomain::parse(trust_domain).unwrap(), set.as_bytes())])
}

fn verify(authorities: &JwtAuthorities, token: &str) -> Result<JwtSvid, JwtError> {
    let now = Timestamp::from_unix_seconds(NOW);
    authorities.verify(token, &["us".to_owned()], now, DEFAULT_LEEWAY)
}

/// The ID of the token's subject, or the reason why it is refused.
#[track_caller]
fn check(authorities: &JwtAuthorities, token: &str, expected: Result<&str, &str>) {
    let verified = verify(authorities, token);
    let seen = verified.as_ref().map(|svid| svid.id.as_str()).map_err(|error| error.reason());
    assert_eq!(seen, expected, "{:?}", verified.as_ref().err());
    if let Err(error) = verified {
        check_silence(&error, token);
    }
}

/// No text of an error repeats the token or its signature.
#[track_caller]
fn check_silence(error: &JwtError, token: &str) {
    let shown = format!("{error} {error:?}");
    for part in token.split('.').filter(|part| part.len() > 20) {
        assert!(!shown.contains(part), "{shown}");
    }
}

#[track_caller]
fn check_header(header: &str, expected: Result<(), &str>) {
    let signer = signer();
    let expected = expected.map(|()| "spiffe://a.test/web");
    let token = signer.token_of(header, &claims().to_string());
    check(&authorities("a.test", &[signer.jwk()]), &token, expected);
}

#[test]
fn each_algorithm_verifies_what_its_key_signed_and_no_other_claims() {
    for algorithm in
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
    {
        let signer = Signer::new(algorithm, "one");
        let authorities = authorities("a.test", &[signer.jwk()]);
        assert_eq!(authorities.unusable(), []);
        let token = signer.token(&claims());
        check(&authorities, &token, Ok("spiffe://a.test/web"));
        let other = signer.token(&claims_with("sub", json!("spiffe://a.test/admin")));
        let (signed, _) = token.rsplit_once('.').unwrap();
        let (_, signature) = other.rsplit_once('.').unwrap();
        check(&authorities, &format!("{signed}.{signature}"), Err("jwt.signature"));
    }
}

#[test]
fn an_svid_says_whose_it_is_until_when_and_what_it_claims() {
    let signer = signer();
    let claims = claims_with("groups", json!(["a", { "b": 1 }]));
    let svid = verify(&authorities("a.test", &[signer.jwk()]), &signer.token(&claims)).unwrap();
    assert_eq!(svid.id.as_str(), "spiffe://a.test/web");
    assert_eq!(svid.not_after, Timestamp::from_unix_seconds(NOW + 60));
    assert_eq!(Value::Object(svid.claims.clone()), claims);
    assert!(!format!("{svid:?}").contains("groups"));
}

#[test]
fn the_bundle_of_the_subjects_trust_domain_alone_counts() {
    let (ours, theirs) = (Signer::new("ES256", "one"), Signer::new("ES256", "two"));
    let domain = |name| TrustDomain::parse(name).unwrap();
    let set = |signer: &Signer| json!({ "keys": [signer.jwk()] }).to_string();
    let (a, b) = (set(&ours), set(&theirs));
    let both =
        JwtAuthorities::new([(domain("a.test"), a.as_bytes()), (domain("b.test"), b.as_bytes())]);
    check(&both, &ours.token(&claims()), Ok("spiffe://a.test/web"));
    check(&both, &theirs.token(&claims()), Err("jwt.unknown_key"));
    let renamed = theirs.with_algorithm("ES256");
    let header = json!({ "alg": "ES256", "kid": "one" }).to_string();
    check(&both, &renamed.token_of(&header, &claims().to_string()), Err("jwt.signature"));
    let foreign = claims_with("sub", json!("spiffe://c.test/web"));
    check(&both, &ours.token(&foreign), Err("jwt.no_bundle"));
    let counted: Vec<_> = both.trust_domains().map(|(name, keys)| (name.as_str(), keys)).collect();
    assert_eq!(counted, [("a.test", 1), ("b.test", 1)]);
}

#[test]
fn a_token_without_key_id_is_verified_by_the_only_key() {
    let (one, two) = (Signer::new("ES256", "one"), Signer::new("ES256", "two"));
    let token = one.token_of(r#"{"alg":"ES256"}"#, &claims().to_string());
    check(&authorities("a.test", &[one.jwk()]), &token, Ok("spiffe://a.test/web"));
    check(&authorities("a.test", &[two.jwk()]), &token, Err("jwt.signature"));
    check(&authorities("a.test", &[one.jwk(), two.jwk()]), &token, Err("jwt.no_key_id"));
    check(&authorities("a.test", &[]), &token, Err("jwt.no_key_id"));
}

#[test]
fn a_header_has_three_members_and_each_its_values() {
    check_header(r#"{"alg":"ES256","kid":"one","typ":"JWT"}"#, Ok(()));
    check_header(r#"{"typ":"JOSE","kid":"one","alg":"ES256"}"#, Ok(()));
    for (header, reason) in [
        (r#"{"kid":"one"}"#, "jwt.algorithm"),
        (r#"{"alg":"none","kid":"one"}"#, "jwt.algorithm"),
        (r#"{"alg":"HS256","kid":"one"}"#, "jwt.algorithm"),
        (r#"{"alg":"es256","kid":"one"}"#, "jwt.algorithm"),
        (r#"{"alg":["ES256"],"kid":"one"}"#, "jwt.header_type"),
        (r#"{"alg":"ES384","kid":"one"}"#, "jwt.key_algorithm"),
        (r#"{"alg":"RS256","kid":"one"}"#, "jwt.key_algorithm"),
        (r#"{"alg":"ES256","kid":"One"}"#, "jwt.unknown_key"),
        (r#"{"alg":"ES256","kid":""}"#, "jwt.unknown_key"),
        (r#"{"alg":"ES256","kid":1}"#, "jwt.header_type"),
        (r#"{"alg":"ES256","kid":null}"#, "jwt.header_type"),
        (r#"{"alg":"ES256","kid":"one","typ":"wit+jwt"}"#, "jwt.type"),
        (r#"{"alg":"ES256","kid":"one","typ":"jwt"}"#, "jwt.type"),
        (r#"{"alg":"ES256","kid":"one","typ":null}"#, "jwt.header_type"),
        (r#"{"alg":"ES256","kid":"one","crit":["exp"]}"#, "jwt.header_member"),
        (r#"{"alg":"ES256","kid":"one","b64":false}"#, "jwt.header_member"),
        (r#"{"alg":"ES256","kid":"one","jku":"https://a.test"}"#, "jwt.header_member"),
        (r#"{"alg":"ES256","kid":"one","kid":"one"}"#, "jwt.duplicate_member"),
        (r#"["ES256"]"#, "jwt.malformed"),
        ("", "jwt.malformed"),
    ] {
        check_header(header, Err(reason));
    }
    let long = "k".repeat(key::MAX_KEY_ID_BYTES + 1);
    check_header(&json!({ "alg": "ES256", "kid": long }).to_string(), Err("jwt.header_type"));
    let longer = "k".repeat(MAX_HEADER_BYTES);
    check_header(&json!({ "alg": "ES256", "kid": longer }).to_string(), Err("jwt.too_large"));
}

#[test]
fn only_the_compact_form_in_its_one_spelling_is_read() {
    let signer = signer();
    let authorities = authorities("a.test", &[signer.jwk()]);
    let token = signer.token(&claims());
    let parts: Vec<_> = token.split('.').collect();
    for (text, reason) in [
        (String::new(), "jwt.not_compact"),
        (format!("{}.{}", parts[0], parts[1]), "jwt.not_compact"),
        (format!("{token}."), "jwt.not_compact"),
        (format!("{token}.a.a"), "jwt.not_compact"),
        (format!(".{token}"), "jwt.not_compact"),
        (format!("{token}="), "jwt.base64"),
        (format!("{token}\n"), "jwt.base64"),
        (format!(" {token}"), "jwt.base64"),
        (format!("{}.{}.", parts[0], parts[1]), "jwt.signature"),
        (format!("..{}", parts[2]), "jwt.malformed"),
        (format!("{}..{}", parts[0], parts[2]), "jwt.malformed"),
        (format!("{}.{}.{}", parts[0], parts[1], parts[2].split_at(84).0), "jwt.signature"),
        (format!("{token}AAAA"), "jwt.signature"),
        (format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)), "jwt.signature"),
        (format!("{}.{}.{}", parts[0], parts[1], "a".repeat(MAX_TOKEN_BYTES)), "jwt.too_large"),
    ] {
        check(&authorities, &text, Err(reason));
    }
}

/// Whatever byte is changed: the token is refused, or says what it said before.
#[test]
fn no_flipped_byte_changes_what_is_accepted() {
    let signer = signer();
    let authorities = authorities("a.test", &[signer.jwk()]);
    let token = signer.token(&claims());
    let before = verify(&authorities, &token).unwrap();
    let mut accepted = 0;
    for place in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            if let Ok(svid) = verify(&authorities, &changed) {
                assert_eq!(svid, before);
                accepted += 1;
            }
        }
    }
    assert_eq!(accepted, 0, "there is one spelling of a token");
}

#[test]
fn the_claimed_subject_is_shown_printable_and_cut() {
    let signer = signer();
    let of = |subject: &str| claimed(&signer.token(&claims_with("sub", json!(subject))));
    assert_eq!(of("spiffe://a.test/web").as_deref(), Some("spiffe://a.test/web"));
    assert_eq!(of("a\n\u{202e}b").as_deref(), Some("a\\u{a}\\u{202e}b"));
    assert_eq!(of(&"a".repeat(5_000)).map(|text| text.len()), Some(2048));
    assert_eq!(claimed("a.b"), None);
    assert_eq!(claimed(&signer.token(&json!({ "sub": 7 }))), None);
}
