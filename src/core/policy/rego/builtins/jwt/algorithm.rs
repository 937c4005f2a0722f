//! The algorithms of RFC 7518 and 8037, and the one place where a signature is verified.

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::super::crypto::{Curve, MAX_RSA_BITS, MAX_RSA_EXPONENT_BYTES, MIN_RSA_BITS, PublicKey};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

/// What can verify: a public key, or the secret of an HMAC.
pub(super) enum Key {
    Public(PublicKey),
    Secret(Vec<u8>),
}

impl Algorithm {
    /// By its `alg`, letter by letter; `none` is not one.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hs256,
            "HS384" => Self::Hs384,
            "HS512" => Self::Hs512,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }

    pub(super) fn hmac(self) -> Option<hmac::Algorithm> {
        match self {
            Self::Hs256 => Some(hmac::HMAC_SHA256),
            Self::Hs384 => Some(hmac::HMAC_SHA384),
            Self::Hs512 => Some(hmac::HMAC_SHA512),
            _ => None,
        }
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
            _ => None,
        }
    }

    /// Each goes with one curve only.
    fn ecdsa(self, curve: Curve) -> Option<&'static dyn VerificationAlgorithm> {
        match (self, curve) {
            (Self::Es256, Curve::P256) => Some(&ECDSA_P256_SHA256_FIXED),
            (Self::Es384, Curve::P384) => Some(&ECDSA_P384_SHA384_FIXED),
            (Self::Es512, Curve::P521) => Some(&ECDSA_P521_SHA512_FIXED),
            _ => None,
        }
    }

    /// Whether a key of this kind may verify with it at all, which costs nothing to find out.
    pub(super) fn fits(self, key: &Key) -> bool {
        match key {
            Key::Secret(_) => self.hmac().is_some(),
            Key::Public(PublicKey::Rsa { modulus, exponent }) => {
                let bits = modulus.len().saturating_mul(8);
                self.rsa().is_some()
                    && (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits)
                    && exponent.len() <= MAX_RSA_EXPONENT_BYTES
            }
            Key::Public(PublicKey::Ec { curve, .. }) => self.ecdsa(*curve).is_some(),
            Key::Public(PublicKey::Ed25519(_)) => self == Self::EdDsa,
            Key::Public(PublicKey::Other) => false,
        }
    }

    /// What verifying takes: with RSA the square of the modulus counts, with ECDSA the curve.
    pub(super) fn cost(self, key: &Key) -> usize {
        match key {
            Key::Public(PublicKey::Rsa { modulus, .. }) if modulus.len() > 512 => 4,
            Key::Public(PublicKey::Ec { curve: Curve::P521, .. }) => 2,
            Key::Public(_) | Key::Secret(_) => 1,
        }
    }

    /// Whether the key signed the message; never with a key of another kind.
    pub(super) fn verify(self, key: &Key, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(key) {
            return false;
        }
        match key {
            Key::Secret(secret) => self.hmac().is_some_and(|algorithm| {
                hmac::verify(&hmac::Key::new(algorithm, secret), message, signature).is_ok()
            }),
            Key::Public(PublicKey::Rsa { modulus, exponent }) => {
                let key = PublicKeyComponents { n: modulus, e: exponent };
                self.rsa().is_some_and(|rsa| key.verify(rsa, message, signature).is_ok())
            }
            Key::Public(PublicKey::Ec { curve, point }) => {
                self.ecdsa(*curve).is_some_and(|ecdsa| {
                    UnparsedPublicKey::new(ecdsa, point).verify(message, signature).is_ok()
                })
            }
            Key::Public(PublicKey::Ed25519(bytes)) => {
                UnparsedPublicKey::new(&ED25519, bytes).verify(message, signature).is_ok()
            }
            Key::Public(PublicKey::Other) => false,
        }
    }
}
