//! `crypto.*`: hashes, HMACs, certificates and keys, with the values that OPA gives.
//!
//! Texts that a policy passes enter, engine values leave; nothing is kept, and no error quotes key
//! material. Private keys are read for policies that mint tokens in their tests.

mod arguments;
mod encoding;
mod hash;
mod pem;
mod der;
mod public_key;
mod private_key;
mod name;
mod uri;
mod alternative;
mod constraints;
mod usage;
mod extensions;
mod certificate;
mod request;
mod key_builtins;
mod chain;

pub(super) use arguments::{MAX_TEXT_BYTES, invalid, text, text_of, text_up_to};
pub(super) use certificate::parse_one as parse_certificate;
pub(super) use encoding::{base64_url, from_base64_url, hex};
pub(super) use pem::next_block;
pub(super) use public_key::{
    Curve, MAX_RSA_BITS, MAX_RSA_EXPONENT_BYTES, MIN_RSA_BITS, PublicKey, without_zeros,
};

pub(super) use certificate::BUILTINS as CERTIFICATE;
pub(super) use chain::BUILTINS as CHAIN;
pub(super) use hash::BUILTINS as HASH;
pub(super) use key_builtins::BUILTINS as PRIVATE_KEY;
pub(super) use request::BUILTINS as REQUEST;

#[cfg(test)]
mod tests;
