//! Which entries of a bundle become keys.

use super::*;

/// An entry changed by a merge patch: what becomes of it.
#[track_caller]
fn check_jwk(signer: &Signer, patch: &Value, expected: Result<usize, AuthorityFault>) {
    let mut jwk = signer.jwk();
    for (name, value) in patch.as_object().unwrap() {
        let members = jwk.as_object_mut().unwrap();
        if value.is_null() {
            members.shift_remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    let authorities = authorities("a.test", &[jwk]);
    let unusable: Vec<_> = authorities.unusable().iter().map(|found| found.why).collect();
    let usable = authorities.trust_domains().next().unwrap().1;
    match expected {
        Ok(count) => assert_eq!((usable, unusable), (count, Vec::new()), "{patch}"),
        Err(fault) => assert_eq!((usable, unusable), (0, vec![fault]), "{patch}"),
    }
}

fn encoded(bytes: &[u8]) -> Value {
    Value::from(URL_SAFE_NO_PAD.encode(bytes))
}

#[test]
fn an_entry_is_used_as_it_says_it_may_be() {
    use AuthorityFault as Fault;
    let signer = signer();
    for (patch, expected) in [
        (json!({}), Ok(1)),
        (json!({ "use": "jwt-svid" }), Ok(1)),
        (json!({ "use": "sig", "alg": "ES256", "key_ops": ["verify"] }), Ok(1)),
        (json!({ "unknown": { "a": [1] }, "x5c": ["AAAA"] }), Ok(1)),
        // Ignored, as a SPIFFE bundle's reader must.
        (json!({ "use": "x509-svid" }), Ok(0)),
        (json!({ "use": "wit-svid" }), Ok(0)),
        (json!({ "use": "enc" }), Ok(0)),
        (json!({ "use": "JWT-SVID" }), Ok(0)),
        (json!({ "kty": "OKP" }), Ok(0)),
        (json!({ "kty": "oct", "k": "AAAA" }), Ok(0)),
        (json!({ "kty": null }), Ok(0)),
        (json!({ "use": 1 }), Err(Fault::Use)),
        (json!({ "key_ops": ["sign"] }), Err(Fault::KeyOperations)),
        (json!({ "key_ops": [] }), Err(Fault::KeyOperations)),
        (json!({ "key_ops": "verify" }), Err(Fault::KeyOperations)),
        (json!({ "alg": "ES384" }), Err(Fault::Algorithm)),
        (json!({ "alg": "RS256" }), Err(Fault::Algorithm)),
        (json!({ "alg": "none" }), Err(Fault::Algorithm)),
        (json!({ "alg": 1 }), Err(Fault::Algorithm)),
        (json!({ "d": "AAAA" }), Err(Fault::Private)),
        (json!({ "kid": null }), Err(Fault::KeyId)),
        (json!({ "kid": "" }), Err(Fault::KeyId)),
        (json!({ "kid": 1 }), Err(Fault::KeyId)),
        (json!({ "kid": "k".repeat(257) }), Err(Fault::KeyId)),
        (json!({ "crv": "P-384" }), Err(Fault::Number)),
        (json!({ "crv": "secp256k1" }), Err(Fault::Curve)),
        (json!({ "x": null }), Err(Fault::Number)),
        (json!({ "x": "AA==" }), Err(Fault::Number)),
        (json!({ "x": encoded(&[0; 32]), "y": encoded(&[0; 32]) }), Err(Fault::Point)),
        (json!({ "x": encoded(&[1; 32]) }), Err(Fault::Point)),
        (json!({ "x": encoded(&[255; 32]) }), Err(Fault::Point)),
        (json!({ "x": encoded(&[0; 33]) }), Err(Fault::Number)),
    ] {
        check_jwk(&signer, &patch, expected);
    }
}

#[test]
fn an_rsa_key_is_large_and_odd_and_of_a_sound_generator() {
    use AuthorityFault as Fault;
    let signer = Signer::new("RS256", "one");
    let modulus = |bytes: usize, first: u8, last: u8| {
        let mut modulus = vec![0x5a; bytes];
        (modulus[0], modulus[bytes - 1]) = (first, last);
        encoded(&modulus)
    };
    for (patch, expected) in [
        (json!({}), Ok(1)),
        (json!({ "alg": "PS512" }), Ok(1)),
        (json!({ "e": encoded(&[3]) }), Ok(1)),
        (json!({ "e": encoded(&[1]) }), Err(Fault::Exponent)),
        (json!({ "e": encoded(&[1, 0, 0]) }), Err(Fault::Exponent)),
        (json!({ "e": encoded(&[1, 0, 0, 0, 1]) }), Err(Fault::Exponent)),
        (json!({ "e": encoded(&[0, 1, 0, 1]) }), Err(Fault::Number)),
        (json!({ "e": "" }), Err(Fault::Number)),
        (json!({ "n": modulus(256, 0x80, 1) }), Ok(1)),
        (json!({ "n": modulus(256, 0x7f, 1) }), Err(Fault::Modulus)),
        (json!({ "n": modulus(256, 0x80, 2) }), Err(Fault::Modulus)),
        (json!({ "n": modulus(257, 0, 1) }), Err(Fault::Number)),
        (json!({ "n": modulus(128, 0x80, 1) }), Err(Fault::Modulus)),
        (json!({ "n": modulus(1025, 1, 1) }), Err(Fault::Modulus)),
        (json!({ "alg": "ES256" }), Err(Fault::Algorithm)),
    ] {
        check_jwk(&signer, &patch, expected);
    }
}

#[test]
fn an_rsa_key_that_names_its_algorithm_verifies_no_other() {
    let signer = Signer::new("RS256", "one");
    let mut jwk = signer.jwk();
    jwk["alg"] = json!("PS256");
    let authorities = authorities("a.test", &[jwk]);
    check(&authorities, &signer.token(&claims()), Err("jwt.key_algorithm"));
    let signer = signer.with_algorithm("PS256");
    check(&authorities, &signer.token(&claims()), Ok("spiffe://a.test/web"));
}

#[test]
fn a_key_id_twice_names_no_key_and_the_others_stay() {
    let (one, two) = (signer(), Signer::new("ES256", "two"));
    let mut broken = Signer::new("ES256", "two").jwk();
    broken["crv"] = json!("P-224");
    let authorities = authorities("a.test", &[one.jwk(), two.jwk(), broken]);
    check(&authorities, &one.token(&claims()), Ok("spiffe://a.test/web"));
    check(&authorities, &two.token(&claims()), Err("jwt.unknown_key"));
    let listed: Vec<_> = authorities.unusable().iter().map(ToString::to_string).collect();
    let expected = [
        "JWT bundle of `a.test`, key `two`: the curve is not P-256, P-384 or P-521",
        "JWT bundle of `a.test`, key `two`: another key has this `kid`",
    ];
    assert_eq!(listed, expected);
}

#[test]
fn a_bundle_that_cannot_be_read_trusts_nothing_and_touches_no_other() {
    let signer = signer();
    let good = json!({ "keys": [signer.jwk()], "spiffe_sequence": 1 }).to_string();
    let many = json!({ "keys": vec![1; 1001] }).to_string();
    let long = format!("{{\"keys\":[]{}}}", " ".repeat(4 << 20));
    for (bundle, fault) in [
        ("", AuthorityFault::NoObject),
        ("[]", AuthorityFault::NoObject),
        ("{}", AuthorityFault::NoKeys),
        (r#"{"keys":{}}"#, AuthorityFault::NoKeys),
        (r#"{"keys":[],"keys":[]}"#, AuthorityFault::DuplicateMember),
        (r#"{"keys":[1]}"#, AuthorityFault::NoKey),
        (&many, AuthorityFault::TooManyKeys),
        (&long, AuthorityFault::TooLarge),
    ] {
        let domain = |name| TrustDomain::parse(name).unwrap();
        let authorities = JwtAuthorities::new([
            (domain("b.test"), bundle.as_bytes()),
            (domain("a.test"), good.as_bytes()),
        ]);
        let expected = UnusableAuthority { trust_domain: domain("b.test"), kid: None, why: fault };
        assert_eq!(authorities.unusable(), [expected], "{fault}");
        check(&authorities, &signer.token(&claims()), Ok("spiffe://a.test/web"));
        let theirs = signer.token(&claims_with("sub", json!("spiffe://b.test/web")));
        check(&authorities, &theirs, Err("jwt.unknown_key"));
    }
}

#[test]
fn an_empty_bundle_trusts_nothing_and_two_for_one_domain_are_none() {
    let signer = signer();
    let token = signer.token(&claims());
    check(&authorities("a.test", &[]), &token, Err("jwt.unknown_key"));
    let set = json!({ "keys": [signer.jwk()] }).to_string();
    let domain = TrustDomain::parse("a.test").unwrap();
    let twice = JwtAuthorities::new([(domain.clone(), set.as_bytes()), (domain, set.as_bytes())]);
    check(&twice, &token, Err("jwt.unknown_key"));
    assert_eq!(twice.unusable()[0].why, AuthorityFault::TwoBundles);
}
