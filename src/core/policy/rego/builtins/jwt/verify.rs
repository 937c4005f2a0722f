//! `io.jwt.verify_*`: whether a signature is right, and nothing of the claims.

use regorus::Value;

use super::super::crypto::text;
use super::super::{Builtin, BuiltinError};
use super::algorithm::{Algorithm, Key};
use super::keys::{self, Attempts, Signed};
use super::token::{Token, text_member, token_text};

macro_rules! builtins {
    ($($name:literal $algorithm:ident),* $(,)?) => {
        &[$(Builtin { name: $name, arity: 2, run: |a| run(a, Algorithm::$algorithm) }),*]
    };
}

pub(in super::super) const BUILTINS: &[Builtin] = builtins! {
    "io.jwt.verify_hs256" Hs256,
    "io.jwt.verify_hs384" Hs384,
    "io.jwt.verify_hs512" Hs512,
    "io.jwt.verify_rs256" Rs256,
    "io.jwt.verify_rs384" Rs384,
    "io.jwt.verify_rs512" Rs512,
    "io.jwt.verify_ps256" Ps256,
    "io.jwt.verify_ps384" Ps384,
    "io.jwt.verify_ps512" Ps512,
    "io.jwt.verify_es256" Es256,
    "io.jwt.verify_es384" Es384,
    "io.jwt.verify_es512" Es512,
    "io.jwt.verify_eddsa" EdDsa,
};

fn run(arguments: &[Value], algorithm: Algorithm) -> Result<Value, BuiltinError> {
    let token = Token::split(token_text(arguments)?)?;
    let keys = text(arguments, 1)?;
    let is_valid = if algorithm.hmac().is_some() {
        // The text is the secret itself, whatever it looks like.
        let secret = Key::Secret(keys.as_bytes().to_vec());
        algorithm.verify(&secret, token.signed(), &token.signature()?)
    } else {
        verify(token, keys, algorithm)?
    };
    Ok(Value::from(is_valid))
}

fn verify(token: Token<'_>, keys: &str, algorithm: Algorithm) -> Result<bool, BuiltinError> {
    let keys = keys::trusted(keys)?;
    let signature = token.signature()?;
    let header = token.header()?;
    let signed = Signed {
        named: text_member(&header, "alg")?,
        key_id: text_member(&header, "kid")?,
        message: token.signed(),
        signature: &signature,
    };
    keys::verify(&keys, algorithm, &signed, &mut Attempts::new())
}
