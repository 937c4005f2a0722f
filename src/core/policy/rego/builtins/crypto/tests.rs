//! Published digests, and certificates that are made here.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use regorus::Value;

use super::super::{all, set_now};
use crate::Timestamp;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

/// The value of a call at [`NOW`], or its error.
fn call(name: &str, arguments: &[Value]) -> Result<Value, String> {
    set_now(Timestamp::from_unix_seconds(NOW));
    let builtin = all().find(|builtin| builtin.name == name).unwrap();
    assert_eq!(arguments.len(), usize::from(builtin.arity));
    (builtin.run)(arguments).map_err(|error| error.to_string())
}

#[track_caller]
fn check(name: &str, arguments: &[&str], expected: &str) {
    let arguments: Vec<_> = arguments.iter().map(|text| Value::from(*text)).collect();
    assert_eq!(call(name, &arguments), Ok(Value::from(expected)), "{name}");
}

#[test]
fn digests_are_those_of_the_standards() {
    check("crypto.md5", &["abc"], "900150983cd24fb0d6963f7d28e17f72");
    check("crypto.sha1", &["abc"], "a9993e364706816aba3e25717850c26c9cd0d89d");
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    check("crypto.sha256", &["abc"], sha256);
    // RFC 2202 and 4231, test 2 each.
    let (key, message) = ("Jefe", "what do ya want for nothing?");
    check("crypto.hmac.md5", &[message, key], "750c783e6ab0b503eaa86e310a5db738");
    check("crypto.hmac.sha1", &[message, key], "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    check("crypto.hmac.sha256", &[message, key], sha256);
    // A key that is longer than a block.
    let long = "a".repeat(65);
    check("crypto.hmac.md5", &[message, &long], "688a90de110c03fa565585b1c3387bf3");
}

#[test]
fn a_message_that_is_too_long_is_an_error() {
    let message = |length| [Value::from("a".repeat(length))];
    assert!(call("crypto.sha1", &message(1 << 20)).is_ok());
    let error = call("crypto.sha1", &message((1 << 20) + 1)).unwrap_err();
    assert_eq!(error, "operand 1 has 1048577 bytes, and at most 1048576 are read");
    assert_eq!(call("crypto.sha1", &[Value::Null]).unwrap_err(), "operand 1 must be a string");
}

fn params(name: &str, days: std::ops::Range<i64>) -> CertificateParams {
    let at = |day: i64| time::OffsetDateTime::from_unix_timestamp(NOW + day * DAY).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (at(days.start), at(days.end));
    params
}

fn authority(name: &str, days: std::ops::Range<i64>) -> CertificateParams {
    let mut params = params(name, days);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn root(params: CertificateParams) -> Authority {
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn below(params: CertificateParams, issuer: &Authority) -> Authority {
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), issuer).unwrap()
}

/// `true` or `false`, and how many certificates the chain has.
fn verify(chain: &[&Authority], options: &str) -> Result<(bool, usize), String> {
    let chain: String = chain.iter().map(|certificate| certificate.pem()).collect();
    let options = Value::from_json_str(options).unwrap();
    let name = "crypto.x509.parse_and_verify_certificates_with_options";
    let answer = call(name, &[Value::from(chain), options])?;
    let count = answer[1_usize].as_array().unwrap().len();
    Ok((answer[0_usize] == Value::from(true), count))
}

const VALID: Result<(bool, usize), String> = Ok((true, 3));
const REFUSED: Result<(bool, usize), String> = Ok((false, 0));

#[test]
fn a_chain_is_verified_at_the_time_of_the_request() {
    let top = root(authority("root", -1..1));
    let middle = below(authority("middle", -1..1), &top);
    let leaf = |days| below(params("leaf", days), &middle);
    assert_eq!(verify(&[&top, &middle, &leaf(-1..1)], "{}"), VALID);
    assert_eq!(verify(&[&top, &middle, &leaf(-2..-1)], "{}"), REFUSED);
    assert_eq!(verify(&[&top, &middle, &leaf(1..2)], "{}"), REFUSED);
    let late = format!(r#"{{"CurrentTime":{}}}"#, (NOW + 2 * DAY) * 1_000_000_000);
    assert_eq!(verify(&[&top, &middle, &leaf(-1..9)], &late), REFUSED);
    let old = root(authority("root", -9..-1));
    assert_eq!(verify(&[&old, &below(params("leaf", -1..1), &old)], "{}"), REFUSED);
}

#[test]
fn a_chain_needs_its_root_and_its_issuers_need_the_right_to_sign() {
    let top = root(authority("root", -1..1));
    let middle = below(authority("middle", -1..1), &top);
    let leaf = below(params("leaf", -1..1), &middle);
    let other = root(authority("root", -1..1));
    assert_eq!(verify(&[&top, &middle, &leaf], "{}"), VALID);
    assert_eq!(verify(&[&other, &middle, &leaf], "{}"), REFUSED);
    assert_eq!(verify(&[&top, &leaf], "{}"), REFUSED);
    assert_eq!(verify(&[&top], "{}"), REFUSED);
    let no_authority = below(params("middle", -1..1), &top);
    let leaf = below(params("leaf", -1..1), &no_authority);
    assert_eq!(verify(&[&top, &no_authority, &leaf], "{}"), REFUSED);
    let mut short = authority("root", -1..1);
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = root(short);
    let middle = below(authority("middle", -1..1), &short);
    let leaf = below(params("leaf", -1..1), &middle);
    assert_eq!(verify(&[&short, &middle, &leaf], "{}"), REFUSED);
    assert_eq!(verify(&[&short, &below(params("leaf", -1..1), &short)], "{}"), Ok((true, 2)));
}

#[test]
fn usages_and_names_are_asked_of_the_leaf() {
    let top = root(authority("root", -1..1));
    let mut client = params("leaf", -1..1);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    client.subject_alt_names = vec![SanType::DnsName("a.test".try_into().unwrap())];
    let leaf = below(client, &top);
    let verify = |options| verify(&[&top, &leaf], options);
    assert_eq!(verify("{}"), REFUSED);
    assert_eq!(verify(r#"{"KeyUsages":["KeyUsageClientAuth"]}"#), Ok((true, 2)));
    assert_eq!(verify(r#"{"KeyUsages":["KeyUsageAny"]}"#), Ok((true, 2)));
    assert_eq!(verify(r#"{"KeyUsages":["KeyUsageAny"],"DNSName":"a.test"}"#), Ok((true, 2)));
    assert_eq!(verify(r#"{"KeyUsages":["KeyUsageAny"],"DNSName":"b.test"}"#), REFUSED);
    assert!(verify(r#"{"KeyUsages":["x"]}"#).is_err());
    assert_eq!(verify(r#"{"Roots":1}"#), Err("invalid key option".to_owned()));
}

#[test]
fn a_chain_that_branches_or_is_too_long_is_an_error() {
    let top = root(authority("root", -1..1));
    let one = below(authority("middle", -1..1), &top);
    let other = below(authority("middle", -1..1), &top);
    let leaf = below(params("leaf", -1..1), &one);
    assert_eq!(verify(&[&top, &one, &one, &leaf], "{}"), VALID);
    let error = verify(&[&top, &one, &other, &leaf], "{}").unwrap_err();
    assert_eq!(error, "two intermediate certificates have one subject");
    let error = verify(&[&top; 9], "{}").unwrap_err();
    assert_eq!(error, "at most 8 certificates are verified as a chain");
    assert_eq!(verify(&[&top; 17], "{}").unwrap_err(), "more than 16 certificates");
}

#[test]
fn a_certificate_and_its_request_show_what_a_policy_reads() {
    let mut svid = params("web", -1..1);
    let uri = "spiffe://demo.test/ns/shop/sa/web";
    svid.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    svid.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate().unwrap();
    let request = svid.serialize_request(&key).unwrap().pem().unwrap();
    svid.serial_number = Some(vec![1, 0].into()); // which no request has
    let pem = svid.self_signed(&key).unwrap().pem();
    let read = call("crypto.x509.parse_certificates", &[Value::from(pem.as_str())]).unwrap();
    let read = &read[0_usize];
    assert_eq!(read["URIStrings"], Value::from(vec![Value::from(uri)]));
    assert_eq!(read["URIs"][0_usize]["Host"], Value::from("demo.test"));
    assert_eq!(read["Subject"]["CommonName"], Value::from("web"));
    assert_eq!(read["DNSNames"], Value::Null);
    assert_eq!(read["SerialNumber"], Value::from(256_u32));
    assert_eq!(read["KeyUsage"], Value::from(1_u32));
    assert_eq!(read["IsCA"], Value::from(false));
    assert_eq!(read["NotAfter"], Value::from("2027-01-16T08:00:00Z"));
    let name = "crypto.x509.parse_certificate_request";
    let read = call(name, &[Value::from(request)]).unwrap();
    assert_eq!(read["Subject"]["CommonName"], Value::from("web"));
    assert_eq!(read["URIs"][0_usize]["Path"], Value::from("/ns/shop/sa/web"));
    let error = call(name, &[Value::from(pem)]).unwrap_err();
    assert_eq!(error, "illegal base64 data at input byte 0");
}

#[test]
fn a_key_goes_with_its_certificate_only() {
    let key = KeyPair::generate().unwrap();
    let pem = params("web", -1..1).self_signed(&key).unwrap().pem();
    let pair = |key: &KeyPair| {
        let arguments = [Value::from(pem.as_str()), Value::from(key.serialize_pem())];
        call("crypto.x509.parse_keypair", &arguments)
    };
    assert!(pair(&key).is_ok());
    let other = KeyPair::generate().unwrap();
    assert_eq!(pair(&other).unwrap_err(), "tls: private key does not match public key");
}

#[test]
fn pem_that_starts_and_does_not_end_is_an_error() {
    for text in ["-----BEGIN CERTIFICATE-----\nAAAA", "-----BEGIN X-----\nAA A\n-----END Y-----\n"]
    {
        let read = call("crypto.x509.parse_certificates", &[Value::from(text)]);
        assert_eq!(read.unwrap_err(), "a PEM block is malformed");
    }
    let many = "-----BEGIN X-----\n".repeat(7000);
    assert!(call("crypto.x509.parse_certificates", &[Value::from(many)]).is_err());
}
