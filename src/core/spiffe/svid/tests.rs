use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, OtherNameValue, SanType, SerialNumber, date_time_ymd,
};

use super::*;
use crate::Timestamp;

const ID: &str = "spiffe://demo.test/ns/shop/sa/web";
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const DIGITAL_SIGNATURE: &[u8] = &[0x03, 0x02, 0x07, 0x80];

/// The leaf that every test starts from, changed in one point.
fn leaf(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri(ID)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyAgreement];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn extension(oid: &[u64], critical: bool, content: &[u8]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
    extension.set_criticality(critical);
    extension
}

/// A subjectAltName of URI names with any bytes.
fn raw_uris(names: &[&[u8]]) -> CustomExtension {
    let mut body = Vec::new();
    for name in names {
        body.extend(length_prefixed(0x86, name));
    }
    extension(SUBJECT_ALT_NAME, false, &length_prefixed(0x30, &body))
}

fn length_prefixed(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut der = match content.len() {
        0..=127 => vec![tag, low],
        128..=255 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    der.extend(content);
    der
}

#[track_caller]
fn accepts(change: impl FnOnce(&mut CertificateParams)) {
    assert_eq!(Leaf::read(&leaf(change)).unwrap().id.as_str(), ID);
}

#[track_caller]
fn refuses(reason: &str, change: impl FnOnce(&mut CertificateParams)) -> SvidError {
    let error = Leaf::read(&leaf(change)).unwrap_err();
    assert_eq!(error.reason(), reason, "{error}");
    error
}

#[test]
fn a_leaf_says_who_it_is_and_what_the_record_shows_of_it() {
    let der = leaf(|params| {
        params.serial_number = Some(SerialNumber::from_slice(&[0x9f, 0x01]));
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(9999, 12, 31);
        params.distinguished_name.push(DnType::CommonName, "demo\u{1b}[31m CA");
    });
    let leaf = Leaf::read(&der).unwrap();
    assert_eq!(leaf.id.as_str(), ID);
    assert_eq!(leaf.facts.serial, "9f01");
    assert_eq!(leaf.facts.sha256.len(), 64);
    assert_eq!(leaf.facts.issuer, "CN=demo\\u{1b}[31m CA");
    assert_eq!(leaf.facts.not_before, Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    assert_eq!(leaf.facts.not_after, Timestamp::parse("9999-12-31T00:00:00Z").unwrap());
    assert_eq!(Claimed::read(&der).sha256, leaf.facts.sha256);
}

#[test]
fn exactly_one_uri_name_is_an_identity() {
    accepts(|_| {});
    accepts(|p| p.subject_alt_names.push(SanType::DnsName("web.test".try_into().unwrap())));
    refuses("svid.no_uri_san", |p| p.subject_alt_names.clear());
    refuses("svid.two_uri_sans", |p| p.subject_alt_names.push(uri("spiffe://demo.test/admin")));
    refuses("svid.two_uri_sans", |p| p.subject_alt_names.push(uri(ID)));
    refuses("svid.two_uri_sans", |p| p.subject_alt_names.insert(0, uri("https://demo.test/")));
    let error = refuses("svid.two_uri_sans", |p| {
        p.subject_alt_names.clear();
        p.custom_extensions = vec![raw_uris(&[ID.as_bytes(), b"\xff\xfe", b""])];
    });
    assert_eq!(error, SvidError::TwoUriSans { count: 3 });
}

#[test]
fn an_id_in_any_other_place_is_never_read() {
    refuses("svid.no_uri_san", |p| {
        p.subject_alt_names = vec![SanType::DnsName(ID.try_into().unwrap())];
        p.distinguished_name.push(DnType::CommonName, ID);
    });
    refuses("svid.no_uri_san", |p| {
        p.subject_alt_names = vec![SanType::Rfc822Name(ID.try_into().unwrap())];
    });
    refuses("svid.no_uri_san", |p| {
        let value = OtherNameValue::Utf8String(ID.to_owned());
        p.subject_alt_names = vec![SanType::OtherName((vec![1, 3, 6, 1], value))];
    });
}

#[test]
fn an_id_that_is_not_canonical_is_refused_and_never_repaired() {
    for text in [
        "SPIFFE://demo.test/a",
        "spiffe://DEMO.test/a",
        "spiffe://demo.test:443/a",
        "spiffe://user@demo.test/a",
        "spiffe://demo.test/a?q",
        "spiffe://demo.test/a#f",
        "spiffe://demo.test/a%2Fb",
        "spiffe://demo.test/a/../b",
        "spiffe://demo.test/a//b",
        "spiffe://demo.test/a/",
        "spiffe://demo.test/",
        "https://demo.test/a",
        "",
    ] {
        let error = refuses("svid.noncanonical_id", |p| p.subject_alt_names = vec![uri(text)]);
        assert!(matches!(error, SvidError::NoncanonicalId { claimed, .. } if claimed == text));
    }
}

#[test]
fn every_byte_that_no_id_may_hold_is_refused_in_the_name_and_in_the_path() {
    for byte in 0..=u8::MAX {
        let in_name = [b"spiffe://d", &[byte][..], b"/a"].concat();
        let in_path = [b"spiffe://d/a", &[byte][..], b"b"].concat();
        let read = |name: &[u8]| {
            Leaf::read(&leaf(|p| {
                p.subject_alt_names.clear();
                p.custom_extensions = vec![raw_uris(&[name])];
            }))
        };
        let separator = byte == b'/';
        let legal = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        // A slash in the name makes an empty segment, one in the path a new segment.
        assert_eq!(read(&in_name).is_ok(), legal, "{byte:#x} in the trust domain");
        let legal = legal || separator || byte.is_ascii_uppercase();
        assert_eq!(read(&in_path).is_ok(), legal, "{byte:#x} in the path");
    }
}

#[test]
fn the_id_of_a_trust_domain_is_no_workload() {
    let error =
        refuses("svid.root_path", |p| p.subject_alt_names = vec![uri("spiffe://demo.test")]);
    assert!(error.to_string().contains("X509-SVID §3.1"), "{error}");
}

#[test]
fn a_ca_is_no_leaf_whatever_its_id() {
    accepts(|p| p.is_ca = IsCa::NoCa);
    accepts(|p| {
        p.is_ca = IsCa::NoCa;
        p.custom_extensions = vec![extension(BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0])];
    });
    refuses("svid.is_ca", |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    refuses("svid.is_ca", |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    refuses("svid.malformed", |p| {
        p.is_ca = IsCa::NoCa;
        p.custom_extensions = vec![extension(BASIC_CONSTRAINTS, true, &[0x30, 0, 5, 0])];
    });
}

#[test]
fn key_usage_is_present_critical_and_that_of_a_leaf() {
    accepts(|p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    accepts(|p| p.key_usages.push(KeyUsagePurpose::KeyEncipherment));
    for (fault, usages) in [
        (KeyUsageFault::Absent, vec![]),
        (KeyUsageFault::NoDigitalSignature, vec![KeyUsagePurpose::KeyAgreement]),
        (
            KeyUsageFault::KeyCertSign,
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign],
        ),
        (KeyUsageFault::CrlSign, vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign]),
    ] {
        let error = refuses("svid.key_usage", |p| p.key_usages = usages);
        assert_eq!(error, SvidError::KeyUsage(fault));
    }
}

#[test]
fn key_usage_that_is_not_critical_is_refused() {
    let with = |critical| {
        move |p: &mut CertificateParams| {
            p.key_usages.clear();
            p.custom_extensions = vec![extension(KEY_USAGE, critical, DIGITAL_SIGNATURE)];
        }
    };
    accepts(with(true));
    let error = refuses("svid.key_usage", with(false));
    assert_eq!(error, SvidError::KeyUsage(KeyUsageFault::NotCritical));
}

#[test]
fn extended_key_usage_may_be_absent_but_not_one_sided() {
    accepts(|p| p.extended_key_usages.clear());
    accepts(|p| p.extended_key_usages.push(ExtendedKeyUsagePurpose::CodeSigning));
    for usages in [
        vec![ExtendedKeyUsagePurpose::ServerAuth],
        vec![ExtendedKeyUsagePurpose::ClientAuth],
        vec![ExtendedKeyUsagePurpose::Any],
    ] {
        refuses("svid.extended_key_usage", |p| p.extended_key_usages = usages);
    }
    refuses("svid.extended_key_usage", |p| {
        p.extended_key_usages.clear();
        p.custom_extensions = vec![extension(EXTENDED_KEY_USAGE, false, &[0x30, 0])];
    });
}

#[test]
fn serial_numbers_are_positive_and_of_bounded_length() {
    let with = |serial: &'static [u8]| {
        move |p: &mut CertificateParams| {
            p.serial_number = Some(SerialNumber::from_slice(serial));
        }
    };
    accepts(with(&[1]));
    accepts(with(&[0xff; 20]));
    refuses("svid.serial", with(&[0]));
    refuses("svid.serial", with(&[0x7f; 21]));
}

#[test]
fn a_critical_extension_that_a_leaf_may_not_have_is_refused() {
    for (oid, content) in [
        (&[1, 3, 6, 1, 9][..], &[5, 0][..]),
        (&[2, 5, 29, 99], &[5, 0]),
        (&[2, 5, 29, 30], b"\x30\x0c\xa0\x0a\x30\x08\x82\x06a.test"),
    ] {
        accepts(|p| p.custom_extensions = vec![extension(oid, false, content)]);
        refuses("svid.critical_extension", |p| {
            p.custom_extensions = vec![extension(oid, true, content)];
        });
    }
}

#[test]
fn what_is_not_one_whole_certificate_is_malformed() {
    let good = leaf(|_| {});
    let reason = |der: &[u8]| Leaf::read(der).unwrap_err().reason();
    assert_eq!(reason(b""), "svid.malformed");
    assert_eq!(reason(b"-----BEGIN CERTIFICATE-----"), "svid.malformed");
    assert_eq!(reason(&[&good[..], &[0]].concat()), "svid.malformed");
    for length in 0..good.len() {
        assert_eq!(reason(&good[..length]), "svid.malformed");
    }
    assert_eq!(reason(&vec![0x30; MAX_CERTIFICATE_BYTES + 1]), "svid.too_large");
}

#[test]
fn an_extension_stands_once() {
    refuses("svid.duplicate_extension", |p| {
        p.custom_extensions = vec![extension(KEY_USAGE, true, DIGITAL_SIGNATURE)];
    });
    refuses("svid.duplicate_extension", |p| {
        p.custom_extensions = vec![raw_uris(&[b"spiffe://x/y"])];
    });
    refuses("svid.malformed", |p| {
        let many = 0..u64::try_from(MAX_EXTENSIONS).unwrap();
        p.custom_extensions = many.map(|n| extension(&[1, 3, 6, 1, n], false, &[5, 0])).collect();
    });
}

#[test]
fn no_changed_byte_makes_reading_panic() {
    let good = leaf(|_| {});
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = good.clone();
            changed[at] ^= flip;
            let _ = Leaf::read(&changed);
            assert_eq!(Claimed::read(&changed).sha256.len(), 64);
        }
    }
}

#[test]
fn a_refused_certificate_still_says_what_it_claims_to_be_in_printable_text() {
    let claim = |name: &[u8]| {
        Claimed::read(&leaf(|p| {
            p.subject_alt_names.clear();
            p.custom_extensions = vec![raw_uris(&[name])];
        }))
    };
    assert_eq!(claim(b"spiffe://TD/a").id.as_deref(), Some("spiffe://TD/a"));
    assert_eq!(claim(b"a\r\n\x1b[0m\0").id.as_deref(), Some("a\\u{d}\\u{a}\\u{1b}[0m\\u{0}"));
    assert_eq!(claim("a\u{202e}b\u{fc}".as_bytes()).id.as_deref(), Some("a\\u{202e}b\u{fc}"));
    assert_eq!(claim(&[b'a'; 5000]).id.unwrap().len(), MAX_CLAIMED_ID_BYTES);
    let nothing = Claimed::read(b"no certificate");
    assert_eq!((nothing.id, nothing.serial, nothing.not_after), (None, None, None));
}

/// A CA without SPIFFE ID, changed in one point.
fn issuer(change: impl FnOnce(&mut CertificateParams)) -> Result<Issuer, IssuerError> {
    Issuer::read(&leaf(|params| {
        params.subject_alt_names.clear();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages.clear();
        change(params);
    }))
}

#[test]
fn only_a_ca_that_may_sign_certificates_is_an_issuer() {
    let good = issuer(|_| {}).unwrap();
    assert_eq!((good.path_length, good.has_key_usage), (Some(1), true));
    assert!(!good.may_sign_crls);
    assert!(issuer(|p| p.key_usages.push(KeyUsagePurpose::CrlSign)).unwrap().may_sign_crls);
    let without = issuer(|p| p.key_usages.clear()).unwrap();
    assert!(!without.has_key_usage && without.may_sign_crls);
    assert_eq!(issuer(|p| p.is_ca = IsCa::NoCa), Err(IssuerError::NotCa));
    assert_eq!(issuer(|p| p.is_ca = IsCa::ExplicitNoCa), Err(IssuerError::NotCa));
    let crl_only = issuer(|p| p.key_usages = vec![KeyUsagePurpose::CrlSign]);
    assert_eq!(crl_only, Err(IssuerError::KeyUsage));
    assert_eq!(Issuer::read(b"").unwrap_err().reason(), "trust.malformed");
    let trailing = [leaf(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), vec![0]];
    assert_eq!(Issuer::read(&trailing.concat()), Err(IssuerError::Malformed));
}

#[test]
fn an_issuer_with_a_spiffe_id_keeps_the_rules_of_svids_and_one_without_is_an_ordinary_ca() {
    let with_id = |text: &'static str| {
        move |p: &mut CertificateParams| {
            p.subject_alt_names = vec![uri(text)];
        }
    };
    let key_usage = |critical| {
        move |p: &mut CertificateParams| {
            p.key_usages.clear();
            p.custom_extensions = vec![extension(KEY_USAGE, critical, &[3, 2, 2, 4])];
        }
    };
    assert!(issuer(with_id("spiffe://demo.test")).is_ok());
    assert!(issuer(with_id("https://ca.demo.test/a")).is_ok());
    for text in ["spiffe://demo.test/ca", "spiffe://demo.test/", "SPIFFE://demo.test", "spiffe:x"] {
        assert_eq!(issuer(with_id(text)), Err(IssuerError::Id), "{text}");
    }
    let two = issuer(|p| p.subject_alt_names = vec![uri("spiffe://a"), uri("https://a/")]);
    assert_eq!(two, Err(IssuerError::Id));
    for critical in [true, false] {
        assert!(issuer(key_usage(critical)).is_ok());
        let svid = issuer(|p| {
            with_id("spiffe://demo.test")(p);
            key_usage(critical)(p);
        });
        let expected = if critical { Ok(()) } else { Err(IssuerError::KeyUsageNotCritical) };
        assert_eq!(svid.map(|_| ()), expected);
    }
    let absent = issuer(|p| {
        with_id("spiffe://demo.test")(p);
        p.key_usages.clear();
    });
    assert_eq!(absent, Err(IssuerError::KeyUsageNotCritical));
}

#[test]
fn an_issuer_has_no_critical_extension_that_nobody_knows_and_none_twice() {
    let with = |critical| {
        issuer(|p| p.custom_extensions = vec![extension(&[1, 3, 6, 1, 9], critical, &[5, 0])])
    };
    assert!(with(false).is_ok());
    assert_eq!(with(true), Err(IssuerError::CriticalExtension));
    let policies = |critical| {
        let content = [0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0];
        issuer(|p| p.custom_extensions = vec![extension(&[2, 5, 29, 32], critical, &content)])
    };
    assert!(policies(false).is_ok());
    assert_eq!(policies(true), Err(IssuerError::CriticalExtension));
    let twice = issuer(|p| p.custom_extensions = vec![extension(KEY_USAGE, true, &[3, 2, 2, 4])]);
    assert_eq!(twice, Err(IssuerError::Malformed));
}

/// The public key of P-256 becomes one of P-192 by one byte of its curve's name.
fn on_p192(mut der: Vec<u8>) -> Vec<u8> {
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let at = der.windows(P256.len()).position(|window| window == P256).unwrap();
    der[at + P256.len() - 1] = 1;
    der
}

#[test]
fn a_weak_key_is_named_in_a_leaf_and_in_an_issuer() {
    let weak = on_p192(leaf(|_| {}));
    assert_eq!(Leaf::read(&weak), Err(SvidError::WeakKey(KeyFault::Curve)));
    assert_eq!(Links::read(&weak).unwrap().weak_key, Some(KeyFault::Curve));
    let ca = leaf(|p| {
        p.subject_alt_names.clear();
        p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        p.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    });
    assert!(Issuer::read(&ca).is_ok());
    assert_eq!(Issuer::read(&on_p192(ca)), Err(IssuerError::WeakKey(KeyFault::Curve)));
}
