//! Keys that sign tokens of any form.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::RSAPublicKey;

pub(super) struct Signer {
    pub(super) algorithm: &'static str,
    pub(super) kid: &'static str,
    key: Key,
}

enum Key {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub(super) fn new(algorithm: &'static str, kid: &'static str) -> Self {
        let ec = |parameters| Key::Ec(EcdsaKeyPair::generate(parameters).unwrap());
        let key = match algorithm {
            "ES256" => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            _ => Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        Self { algorithm, kid, key }
    }

    /// With the same key, which must be of the algorithm's family.
    pub(super) fn with_algorithm(self, algorithm: &'static str) -> Self {
        Self { algorithm, ..self }
    }

    /// As the Workload API gives it.
    pub(super) fn jwk(&self) -> Value {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.key {
            Key::Ec(key) => {
                let (x, y) =
                    key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
                let curve = match self.algorithm {
                    "ES256" => "P-256",
                    "ES384" => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "kid": self.kid, "crv": curve,
                        "x": encoded(x), "y": encoded(y) })
            }
            Key::Rsa(key) => {
                let (_, public) = RSAPublicKey::from_der(key.public_key().as_ref()).unwrap();
                let modulus = public.modulus.strip_prefix(&[0]).unwrap_or(public.modulus);
                json!({ "kty": "RSA", "kid": self.kid,
                        "n": encoded(modulus), "e": encoded(public.exponent) })
            }
        }
    }

    pub(super) fn header(&self) -> Value {
        json!({ "alg": self.algorithm, "kid": self.kid, "typ": "JWT" })
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header().to_string(), &claims.to_string())
    }

    pub(super) fn token_of(&self, header: &str, claims: &str) -> String {
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Rsa(key) => {
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding = match self.algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}
