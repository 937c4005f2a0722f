//! Whose a token is, for whom, and when it holds.

use super::*;

#[test]
fn a_subject_is_the_canonical_id_of_a_workload() {
    check_claims(&claims(), Ok(()));
    for (subject, reason) in [
        (Value::Null, "jwt.no_subject"),
        (json!(7), "jwt.claim_type"),
        (json!("web"), "jwt.noncanonical_subject"),
        (json!("spiffe://A.test/web"), "jwt.noncanonical_subject"),
        (json!("spiffe://a.test/web/../admin"), "jwt.noncanonical_subject"),
        (json!("spiffe://a.test"), "jwt.root_path"),
    ] {
        check_claims(&claims_with("sub", subject), Err(reason));
    }
}

#[test]
fn one_audience_must_be_ours_letter_by_letter() {
    for ours in [json!("us"), json!(["us"]), json!(["them", "us"])] {
        check_claims(&claims_with("aud", ours), Ok(()));
    }
    for (audience, reason) in [
        (Value::Null, "jwt.no_audience"),
        (json!([]), "jwt.no_audience"),
        (json!("them"), "jwt.audience"),
        (json!(["Us", "us/", " us"]), "jwt.audience"),
        (json!(["us", 1]), "jwt.claim_type"),
        (json!({ "us": true }), "jwt.claim_type"),
    ] {
        check_claims(&claims_with("aud", audience), Err(reason));
    }
}

#[test]
fn without_an_audience_of_our_own_no_token_holds() {
    let signer = signer();
    let authorities = authorities("a.test", &[signer.jwk()]);
    let now = Timestamp::from_unix_seconds(NOW);
    let verified = authorities.verify(&signer.token(&claims()), &[], now, DEFAULT_LEEWAY);
    assert_eq!(verified, Err(JwtError::Audience));
}

#[test]
fn times_are_numbers_and_bound_with_a_leeway() {
    let held = Ok(());
    for (claim, value, expected) in [
        ("exp", json!(NOW - 4), held),
        ("exp", json!(NOW - 5), Err("jwt.expired")),
        ("exp", json!(NOW as f64 - 4.5), held),
        ("exp", json!(NOW as f64 - 5.5), Err("jwt.expired")),
        ("exp", json!(-1), Err("jwt.expired")),
        ("exp", json!(0), Err("jwt.expired")),
        ("exp", json!(253_402_300_799_i64), held),
        ("exp", json!(253_402_300_800_i64), Err("jwt.date")),
        ("exp", json!(u64::MAX), Err("jwt.date")),
        ("exp", json!(1e300), Err("jwt.date")),
        ("exp", json!(-1e300), Err("jwt.date")),
        ("exp", json!("2000000000"), Err("jwt.claim_type")),
        ("exp", json!([NOW + 60]), Err("jwt.claim_type")),
        ("exp", Value::Null, Err("jwt.no_expiry")),
        ("nbf", json!(NOW + 5), held),
        ("nbf", json!(NOW + 6), Err("jwt.not_yet_valid")),
        ("nbf", json!("0"), Err("jwt.claim_type")),
        ("iat", json!(NOW + 5), held),
        ("iat", json!(NOW + 6), Err("jwt.issued_in_future")),
        ("iat", json!(false), Err("jwt.claim_type")),
        ("iat", Value::Null, held),
    ] {
        check_claims(&claims_with(claim, value), expected);
    }
}

#[test]
fn no_leeway_is_longer_than_a_minute() {
    let signer = signer();
    let authorities = authorities("a.test", &[signer.jwk()]);
    let token = signer.token(&json!({
        "sub": "spiffe://a.test/web", "aud": "us", "exp": NOW - 60,
    }));
    let verified = |now: i64, leeway| {
        let now = Timestamp::from_unix_seconds(now);
        authorities.verify(&token, &["us".to_owned()], now, leeway).is_ok()
    };
    assert!(verified(NOW - 1, Duration::from_secs(60)));
    assert!(!verified(NOW, Duration::MAX));
    assert!(verified(NOW - 61, Duration::ZERO));
    assert!(!verified(NOW - 60, Duration::ZERO));
}

#[track_caller]
fn check_claims(claims: &Value, expected: Result<(), &str>) {
    let signer = signer();
    let expected = expected.map(|()| "spiffe://a.test/web");
    check(&authorities("a.test", &[signer.jwk()]), &signer.token(claims), expected);
}

#[test]
fn what_was_verified_holds_as_long_as_its_key_and_its_time() {
    let (signer, other) = (signer(), Signer::new("ES256", "two"));
    let a = TrustDomain::parse("a.test").unwrap();
    let before = authorities("a.test", &[signer.jwk()]);
    let svid = verify(&before, &signer.token(&claims())).unwrap();
    let still = |authorities: &JwtAuthorities, now: i64| {
        let now = Timestamp::from_unix_seconds(now);
        let held = authorities.still_holds(&a, &svid.key, svid.not_after, now, DEFAULT_LEEWAY);
        held.map_err(|error| error.reason())
    };
    assert_eq!(still(&before, NOW), Ok(()));
    assert_eq!(still(&authorities("a.test", &[other.jwk(), signer.jwk()]), NOW), Ok(()));
    assert_eq!(still(&before, NOW + 64), Ok(()));
    assert_eq!(still(&before, NOW + 65), Err("jwt.expired"));
    assert_eq!(still(&authorities("a.test", &[other.jwk()]), NOW), Err("jwt.unknown_key"));
    let replaced = Signer::new("ES256", "one");
    assert_eq!(still(&authorities("a.test", &[replaced.jwk()]), NOW), Err("jwt.unknown_key"));
    assert_eq!(still(&authorities("b.test", &[signer.jwk()]), NOW), Err("jwt.no_bundle"));
}
