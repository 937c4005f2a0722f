//! Hashes and HMACs, in lower case hex.

use aws_lc_rs::{constant_time, digest, hmac};
use md5::{Digest as _, Md5};
use regorus::Value;

use super::super::{Builtin, BuiltinError};
use super::arguments::text_up_to;
use super::hex;

/// Of a message or a key: SHA-1 and MD5 take about 2 ms for it.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Of MD5 (RFC 1321), which HMAC pads its key to.
const MD5_BLOCK_BYTES: usize = 64;

pub(in super::super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "crypto.md5", arity: 1, run: |a| hash(a, |m| Md5::digest(m).to_vec()) },
    Builtin { name: "crypto.sha1", arity: 1, run: |a| hash(a, sha1) },
    Builtin { name: "crypto.sha256", arity: 1, run: |a| hash(a, sha256) },
    Builtin { name: "crypto.hmac.md5", arity: 2, run: |a| mac(a, hmac_md5) },
    Builtin {
        name: "crypto.hmac.sha1",
        arity: 2,
        run: |a| mac(a, |message, key| hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, message, key)),
    },
    Builtin {
        name: "crypto.hmac.sha256",
        arity: 2,
        run: |a| mac(a, |message, key| hmac(hmac::HMAC_SHA256, message, key)),
    },
    Builtin {
        name: "crypto.hmac.sha512",
        arity: 2,
        run: |a| mac(a, |message, key| hmac(hmac::HMAC_SHA512, message, key)),
    },
    Builtin { name: "crypto.hmac.equal", arity: 2, run: equal },
];

fn message(arguments: &[Value], index: usize) -> Result<&[u8], BuiltinError> {
    text_up_to(arguments, index, MAX_MESSAGE_BYTES).map(str::as_bytes)
}

fn hash(arguments: &[Value], of: fn(&[u8]) -> Vec<u8>) -> Result<Value, BuiltinError> {
    Ok(Value::from(hex(&of(message(arguments, 0)?))))
}

fn mac(arguments: &[Value], of: fn(&[u8], &[u8]) -> Vec<u8>) -> Result<Value, BuiltinError> {
    Ok(Value::from(hex(&of(message(arguments, 0)?, message(arguments, 1)?))))
}

fn sha1(message: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message).as_ref().to_vec()
}

fn sha256(message: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, message).as_ref().to_vec()
}

fn hmac(algorithm: hmac::Algorithm, message: &[u8], key: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
}

/// RFC 2104 over MD5, which the signature library does not have.
fn hmac_md5(message: &[u8], key: &[u8]) -> Vec<u8> {
    let mut block =
        if key.len() > MD5_BLOCK_BYTES { Md5::digest(key).to_vec() } else { key.to_vec() };
    block.resize(MD5_BLOCK_BYTES, 0);
    let pad = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
    let inner = Md5::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Md5::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// In a time that does not tell where two texts of one length differ.
fn equal(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (one, other) = (message(arguments, 0)?, message(arguments, 1)?);
    Ok(Value::from(constant_time::verify_slices_are_equal(one, other).is_ok()))
}
