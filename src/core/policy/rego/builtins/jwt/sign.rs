//! `io.jwt.encode_sign` and `io.jwt.encode_sign_raw`: tokens for the tests of a policy.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaSignatureEncoding,
};
use regorus::Value;

use super::super::crypto::{MAX_TEXT_BYTES, base64_url, invalid, text, text_of, without_zeros};
use super::super::{Builtin, BuiltinError};
use super::algorithm::Algorithm;
use super::jwk::{bytes, failed, members, secret};
use super::token::{member, text_member};

/// Signing takes the cube of it, about 5 ms for this many.
const MAX_SIGNING_BITS: usize = 4096;

pub(in super::super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "io.jwt.encode_sign", arity: 3, run: encode_sign },
    Builtin { name: "io.jwt.encode_sign_raw", arity: 3, run: encode_sign_raw },
];

fn encode_sign(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let [header, payload, key] = arguments else { return Err(invalid("three operands wanted")) };
    sign(&go_json(header)?, &go_json(payload)?, &go_json(key)?)
}

fn encode_sign_raw(arguments: &[Value]) -> Result<Value, BuiltinError> {
    sign(text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?)
}

/// JSON as Go writes it, byte by byte, since it is what is signed: sorted, and safe within HTML.
fn go_json(value: &Value) -> Result<String, BuiltinError> {
    let json = serde_json::to_string(value).map_err(|_| invalid("an operand is not JSON"))?;
    if json.len() > MAX_TEXT_BYTES {
        return Err(invalid(format!("an operand is longer than {MAX_TEXT_BYTES} bytes")));
    }
    Ok(json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029"))
}

fn sign(header: &str, payload: &str, key: &str) -> Result<Value, BuiltinError> {
    let keys = members(key)?;
    let key = keys.first().ok_or_else(|| invalid("no keys found in JWK set"))?;
    let (algorithm, is_jwt) = read_header(header)?;
    if is_jwt && serde_json::from_str::<serde::de::IgnoredAny>(payload).is_err() {
        return Err(invalid("type is JWT but payload is not JSON"));
    }
    let message = format!("{}.{}", base64_url(header.as_bytes()), base64_url(payload.as_bytes()));
    let signature = signature(algorithm, key, message.as_bytes())?;
    Ok(Value::from(format!("{message}.{}", base64_url(&signature))))
}

/// The algorithm, and whether the header says or leaves open that the payload is JSON.
fn read_header(text: &str) -> Result<(Algorithm, bool), BuiltinError> {
    let wrong = |why: &str| invalid(format!("missing or invalid 'alg' header: {why}"));
    if text.is_empty() {
        return Err(wrong("cannot parse JSON: cannot parse empty string"));
    }
    if !text.trim_start().starts_with('{') {
        return Err(wrong("jwsbb: header \"alg\" not found"));
    }
    let header = Value::from_json_str(text).map_err(|_| wrong("cannot parse JSON"))?;
    let name = match member(&header, "alg") {
        None => return Err(wrong("jwsbb: header \"alg\" not found")),
        Some(name) => text_of(name).ok_or_else(|| wrong("it must be a string"))?,
    };
    let algorithm =
        Algorithm::named(name).ok_or_else(|| invalid(format!("unknown JWS algorithm: {name}")))?;
    let kind = text_member(&header, "typ").ok().flatten();
    Ok((algorithm, kind.is_none_or(|kind| kind == "JWT")))
}

fn signature(algorithm: Algorithm, jwk: &Value, message: &[u8]) -> Result<Vec<u8>, BuiltinError> {
    let kind = text_member(jwk, "kty")?.unwrap_or_default();
    if let Some(name) = randomised(algorithm) {
        return Err(invalid(format!(
            "an {name} signature is not deterministic: use RS256, EdDSA or HS256"
        )));
    }
    match (algorithm, kind) {
        (Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512, "oct") => {
            let secret = secret(jwk)?;
            let algorithm = algorithm.hmac().unwrap_or(hmac::HMAC_SHA256);
            Ok(hmac::sign(&hmac::Key::new(algorithm, &secret), message).as_ref().to_vec())
        }
        (Algorithm::Rs256, "RSA") => rsa(jwk, &RSA_PKCS1_SHA256, message),
        (Algorithm::Rs384, "RSA") => rsa(jwk, &RSA_PKCS1_SHA384, message),
        (Algorithm::Rs512, "RSA") => rsa(jwk, &RSA_PKCS1_SHA512, message),
        (Algorithm::EdDsa, "OKP") => {
            let pair =
                Ed25519KeyPair::from_seed_and_public_key(&bytes(jwk, "d")?, &bytes(jwk, "x")?);
            let pair = pair.map_err(|_| failed("it is no private Ed25519 key"))?;
            Ok(pair.sign(message).as_ref().to_vec())
        }
        _ => Err(invalid("the key is not of the kind of the algorithm")),
    }
}

/// The name of an algorithm that gives a new signature each time.
fn randomised(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => Some("ECDSA"),
        Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => Some("RSA-PSS"),
        Algorithm::Hs256
        | Algorithm::Hs384
        | Algorithm::Hs512
        | Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::EdDsa => None,
    }
}

fn rsa(
    jwk: &Value,
    encoding: &'static RsaSignatureEncoding,
    message: &[u8],
) -> Result<Vec<u8>, BuiltinError> {
    let number = |name| bytes(jwk, name).map(|bytes| without_zeros(&bytes).to_vec());
    let modulus = number("n")?;
    if modulus.len().saturating_mul(8) > MAX_SIGNING_BITS {
        return Err(failed(&format!("at most {MAX_SIGNING_BITS} bits sign")));
    }
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: modulus, e: number("e")? },
        d: number("d")?,
        p: number("p")?,
        q: number("q")?,
        dP: number("dp")?,
        dQ: number("dq")?,
        qInv: number("qi")?,
    };
    let wrong = || failed("it is no private RSA key");
    let pair = KeyPair::from_components(&components).map_err(|_| wrong())?;
    let mut signature = vec![0; pair.public_modulus_len()];
    // The padding is fixed: the source of randomness is not drawn from.
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature).map_err(|_| wrong())?;
    Ok(signature)
}
