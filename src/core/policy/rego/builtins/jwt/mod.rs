//! `io.jwt.*`: tokens are decoded, verified and, for the tests of a policy, signed.
//!
//! A token, keys and constraints enter; a verdict or claims leave. The algorithm is the one that the
//! builtin or the key names, never only the token's: no key serves two kinds of it. Time is the
//! request's. Nothing of a token or a key is quoted in an error.

mod token;
mod algorithm;
mod jwk;
mod keys;
mod verify;
mod decode_verify;
mod sign;

pub(super) use decode_verify::BUILTINS as DECODE_VERIFY;
pub(super) use sign::BUILTINS as SIGN;
pub(super) use token::BUILTINS as DECODE;
pub(super) use verify::BUILTINS as VERIFY;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;
