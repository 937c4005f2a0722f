//! Public keys that are strong enough to carry an identity, whatever signed them.
//!
//! Path validation looks only at keys that verify a signature, and reports a weak one as a bad
//! signature; the leaf's own is not looked at before the handshake. Here each key is judged by itself.

use x509_parser::asn1_rs::Tag;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521,
    OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
};
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

/// NIST SP 800-131A: the shortest modulus that may still sign.
const MIN_RSA_BITS: usize = 2048;
/// A longer modulus only costs whoever verifies with it; the cryptography stops here as well.
const MAX_RSA_BITS: usize = 8192;
/// FIPS 186-5 §A.1.1: smaller exponents have made signatures forgeable.
const MIN_RSA_EXPONENT: u64 = 65_537;
/// The cryptography takes exponents of at most 33 bits.
const MAX_RSA_EXPONENT: u64 = (1 << 33) - 1;
const ED25519_BYTES: usize = 32;
/// The first byte of a point that is written with both coordinates (RFC 5480 §2.2).
const UNCOMPRESSED: u8 = 4;

/// Why a public key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    #[error("the RSA modulus has {0} bits; from {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted")]
    RsaBits(usize),
    #[error("the RSA exponent is not an odd number from {MIN_RSA_EXPONENT} to 33 bits")]
    RsaExponent,
    #[error("the elliptic curve is none of P-256, P-384 and P-521")]
    Curve,
    #[error("the elliptic curve is given by its parameters, not by name (RFC 5480 §2.1.1)")]
    ExplicitCurve,
    #[error("the public key is no RSA, ECDSA or Ed25519 key")]
    Algorithm,
    #[error("the public key does not parse")]
    Malformed,
}

/// Judges the key of one certificate.
pub(super) fn check_key(key: &SubjectPublicKeyInfo<'_>) -> Result<(), KeyFault> {
    let algorithm = &key.algorithm.algorithm;
    let parameters = key.algorithm.parameters.as_ref();
    if *algorithm == OID_PKCS1_RSAENCRYPTION {
        if parameters.is_none_or(|parameters| parameters.tag() != Tag::Null) {
            return Err(KeyFault::Malformed);
        }
        match key.parsed() {
            Ok(PublicKey::RSA(rsa)) => check_rsa(&rsa),
            Ok(_) | Err(_) => Err(KeyFault::Malformed),
        }
    } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        check_ec(key)
    } else if *algorithm == OID_SIG_ED25519 {
        let is_whole = key.subject_public_key.data.len() == ED25519_BYTES && parameters.is_none();
        if is_whole { Ok(()) } else { Err(KeyFault::Malformed) }
    } else {
        Err(KeyFault::Algorithm)
    }
}

fn check_rsa(key: &RSAPublicKey<'_>) -> Result<(), KeyFault> {
    let is_negative = key.modulus.first().is_none_or(|first| first & 0x80 != 0);
    let is_even = key.modulus.last().is_none_or(|last| last % 2 == 0);
    if is_negative || is_even {
        return Err(KeyFault::Malformed);
    }
    let mut significant = key.modulus.iter().skip_while(|byte| **byte == 0);
    let first = significant.next().ok_or(KeyFault::Malformed)?;
    let leading_zeros = usize::try_from(first.leading_zeros()).map_err(|_| KeyFault::Malformed)?;
    let bits = (1 + significant.count()).saturating_mul(8).saturating_sub(leading_zeros);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Err(KeyFault::RsaBits(bits));
    }
    let exponent = key.try_exponent().map_err(|_| KeyFault::RsaExponent)?;
    if !(MIN_RSA_EXPONENT..=MAX_RSA_EXPONENT).contains(&exponent) || exponent % 2 == 0 {
        return Err(KeyFault::RsaExponent);
    }
    Ok(())
}

fn check_ec(key: &SubjectPublicKeyInfo<'_>) -> Result<(), KeyFault> {
    let parameters = key.algorithm.parameters.as_ref().ok_or(KeyFault::Malformed)?;
    let curve = match parameters.tag() {
        Tag::Oid => parameters.as_oid().map_err(|_| KeyFault::Malformed)?,
        Tag::Sequence => return Err(KeyFault::ExplicitCurve),
        _ => return Err(KeyFault::Malformed),
    };
    let coordinate_bytes = if curve == OID_EC_P256 {
        32
    } else if curve == OID_NIST_EC_P384 {
        48
    } else if curve == OID_NIST_EC_P521 {
        66
    } else {
        return Err(KeyFault::Curve);
    };
    let point = &key.subject_public_key.data;
    if point.first() == Some(&UNCOMPRESSED) && point.len() == 1 + 2 * coordinate_bytes {
        Ok(())
    } else {
        Err(KeyFault::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer as _;

    use super::*;

    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
    const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    const P384: &[u8] = &[0x2b, 0x81, 4, 0, 34];
    const P521: &[u8] = &[0x2b, 0x81, 4, 0, 35];
    const P192: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1];
    const P224: &[u8] = &[0x2b, 0x81, 4, 0, 33];
    const SECP256K1: &[u8] = &[0x2b, 0x81, 4, 0, 10];
    const ED25519: &[u8] = &[0x2b, 0x65, 112];
    const ED448: &[u8] = &[0x2b, 0x65, 113];

    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let length = match content.len() {
            0..=127 => vec![low],
            128..=255 => vec![0x81, low],
            _ => vec![0x82, high, low],
        };
        [vec![tag], length, content].concat()
    }

    #[track_caller]
    fn check(algorithm: &[u8], parameters: &[u8], key: &[u8], expected: Result<(), KeyFault>) {
        let algorithm = element(0x30, &[&element(6, &[algorithm]), parameters]);
        let der = element(0x30, &[&algorithm, &element(3, &[&[0], key])]);
        let (_, key) = SubjectPublicKeyInfo::from_der(&der).unwrap();
        assert_eq!(check_key(&key), expected);
    }

    #[track_caller]
    fn rsa(bits: usize, exponent: &[u8], expected: Result<(), KeyFault>) {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= (8 - bits % 8) % 8;
        let sign: &[u8] = if modulus[0] & 0x80 == 0 { &[] } else { &[0] };
        let key = element(0x30, &[&element(2, &[sign, &modulus]), &element(2, &[exponent])]);
        check(RSA, &[5, 0], &key, expected);
    }

    #[track_caller]
    fn ec(curve: &[u8], coordinate_bytes: usize, expected: Result<(), KeyFault>) {
        let point = [vec![4], vec![1; 2 * coordinate_bytes]].concat();
        check(EC, &element(6, &[curve]), &point, expected);
    }

    #[test]
    fn rsa_keys_are_of_2048_to_8192_bits_with_an_exponent_that_is_no_toy() {
        let usual: &[u8] = &[1, 0, 1];
        for bits in [2048, 3072, 4096, 8192] {
            rsa(bits, usual, Ok(()));
        }
        for bits in [512, 1024, 2047, 8193, 16384] {
            rsa(bits, usual, Err(KeyFault::RsaBits(bits)));
        }
        rsa(2048, &[1, 0, 3], Ok(()));
        let even = [vec![0], vec![0xff; 255], vec![0xfe]].concat();
        let negative = vec![0xff; 256];
        for modulus in [even, negative] {
            let key = element(0x30, &[&element(2, &[&modulus]), &element(2, &[usual])]);
            check(RSA, &[5, 0], &key, Err(KeyFault::Malformed));
        }
        check(RSA, &[], &[0x30, 0], Err(KeyFault::Malformed));
        for exponent in [&[1][..], &[3], &[17], &[1, 0, 0], &[1, 0, 2], &[2, 0, 0, 0, 1], &[0x81]] {
            rsa(2048, exponent, Err(KeyFault::RsaExponent));
        }
    }

    #[test]
    fn elliptic_curves_are_three_and_named() {
        ec(P256, 32, Ok(()));
        ec(P384, 48, Ok(()));
        ec(P521, 66, Ok(()));
        ec(P192, 24, Err(KeyFault::Curve));
        ec(P224, 28, Err(KeyFault::Curve));
        ec(SECP256K1, 32, Err(KeyFault::Curve));
        ec(P256, 31, Err(KeyFault::Malformed));
        ec(P256, 48, Err(KeyFault::Malformed));
        let compressed = [vec![2], vec![1; 32]].concat();
        check(EC, &element(6, &[P256]), &compressed, Err(KeyFault::Malformed));
        let explicit = element(0x30, &[&[2, 1, 1]]);
        check(EC, &explicit, &[4; 65], Err(KeyFault::ExplicitCurve));
        let disguised = element(0x30, &[P256]);
        check(EC, &disguised, &[4; 65], Err(KeyFault::ExplicitCurve));
        check(EC, &[5, 0], &[4; 65], Err(KeyFault::Malformed));
        check(EC, &[], &[4; 65], Err(KeyFault::Malformed));
    }

    #[test]
    fn of_other_algorithms_only_ed25519_is_known() {
        check(ED25519, &[], &[7; 32], Ok(()));
        check(ED25519, &[], &[7; 31], Err(KeyFault::Malformed));
        check(ED25519, &[5, 0], &[7; 32], Err(KeyFault::Malformed));
        check(ED448, &[], &[7; 57], Err(KeyFault::Algorithm));
        check(DSA, &[], &[2, 1, 1], Err(KeyFault::Algorithm));
        check(RSA_PSS, &[], &[], Err(KeyFault::Algorithm));
    }
}
