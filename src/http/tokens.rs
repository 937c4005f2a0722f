//! The tokens that were verified on one connection: each costs one check of its signature.
//!
//! Only what was verified is remembered, by its digest and never itself, and no longer than the token
//! holds and the keys that verified it are in force.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{JwtAuthorities, jwt};
use sha2::{Digest as _, Sha256};

use super::caller::Caller;

/// One caller uses one token at a time; behind a connection that carries several there are some. Beyond
/// this the oldest is forgotten, and verified again when it comes back.
const MAX_TOKENS: usize = 8;
/// Of the tokens remembered, together: what they say is kept too, at several times their bytes.
const MAX_TOKEN_BYTES: usize = jwt::MAX_TOKEN_BYTES;

/// What one connection remembers.
#[derive(Default)]
pub struct Tokens(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// The keys that verified them.
    authorities: Arc<JwtAuthorities>,
    /// The oldest first.
    tokens: VecDeque<Token>,
}

struct Token {
    digest: Digest,
    until: Timestamp,
    caller: Caller,
}

/// What a token is known by without being kept.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Digest {
    sha256: [u8; 32],
    /// How long the token is.
    bytes: usize,
}

impl Digest {
    pub(super) fn of(token: &str) -> Self {
        Self { sha256: Sha256::digest(token.as_bytes()).into(), bytes: token.len() }
    }
}

impl Tokens {
    /// The caller whose token was verified with these keys and has not expired.
    pub(super) fn recall(
        &self,
        authorities: &Arc<JwtAuthorities>,
        digest: &Digest,
        now: Timestamp,
    ) -> Option<Caller> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&remembered.authorities, authorities) {
            return None;
        }
        let mut tokens = remembered.tokens.iter();
        let token = tokens.find(|token| token.digest == *digest && now < token.until)?;
        Some(token.caller.clone())
    }

    pub(super) fn remember(
        &self,
        authorities: &Arc<JwtAuthorities>,
        digest: Digest,
        until: Timestamp,
        caller: Caller,
    ) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&remembered.authorities, authorities) {
            remembered.tokens.clear();
            remembered.authorities = Arc::clone(authorities);
        }
        // Two requests at once may both have verified it.
        remembered.tokens.retain(|token| token.digest != digest);
        remembered.tokens.push_back(Token { digest, until, caller });
        while remembered.tokens.len() > MAX_TOKENS || remembered.bytes() > MAX_TOKEN_BYTES {
            remembered.tokens.pop_front();
        }
    }
}

impl Remembered {
    fn bytes(&self) -> usize {
        self.tokens.iter().map(|token| token.digest.bytes).sum()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use portreeve_core::request::{ConnectionFacts, Destination, Source};

    use super::*;

    fn caller() -> Caller {
        let address = "192.0.2.1:9".parse().unwrap();
        let source = Source { spiffe_id: None, address, certificate: None, jwt: None };
        let destination = Destination { spiffe_id: None, service: "orders".into(), address };
        let facts = Arc::new(ConnectionFacts::new(source, destination, None));
        Caller { facts, name: None, proven: None }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn a_token_is_remembered_until_it_expires() {
        let (tokens, keys) = (Tokens::default(), Arc::new(JwtAuthorities::default()));
        tokens.remember(&keys, Digest::of("a"), at(10), caller());
        assert!(tokens.recall(&keys, &Digest::of("a"), at(9)).is_some());
        assert!(tokens.recall(&keys, &Digest::of("b"), at(9)).is_none());
        assert!(tokens.recall(&keys, &Digest::of("a"), at(10)).is_none());
    }

    #[test]
    fn new_keys_forget_what_old_ones_verified() {
        let tokens = Tokens::default();
        let [old, new] = [(); 2].map(|()| Arc::new(JwtAuthorities::default()));
        tokens.remember(&old, Digest::of("a"), at(10), caller());
        assert!(tokens.recall(&new, &Digest::of("a"), at(1)).is_none());
        tokens.remember(&new, Digest::of("b"), at(10), caller());
        assert!(tokens.recall(&new, &Digest::of("a"), at(1)).is_none());
        assert!(tokens.recall(&new, &Digest::of("b"), at(1)).is_some());
    }

    #[test]
    fn no_connection_remembers_more_than_its_share() {
        let (tokens, keys) = (Tokens::default(), Arc::new(JwtAuthorities::default()));
        for n in 0..=MAX_TOKENS {
            // Twice, as two requests at once have it.
            tokens.remember(&keys, Digest::of(&n.to_string()), at(10), caller());
            tokens.remember(&keys, Digest::of(&n.to_string()), at(10), caller());
        }
        assert_eq!(tokens.0.lock().unwrap().tokens.len(), MAX_TOKENS);
        assert!(tokens.recall(&keys, &Digest::of("0"), at(1)).is_none());
        assert!(tokens.recall(&keys, &Digest::of("1"), at(1)).is_some());
        assert!(tokens.recall(&keys, &Digest::of(&MAX_TOKENS.to_string()), at(1)).is_some());
        for long in ["a", "b"].map(|letter| letter.repeat(MAX_TOKEN_BYTES)) {
            tokens.remember(&keys, Digest::of(&long), at(10), caller());
            assert_eq!(tokens.0.lock().unwrap().tokens.len(), 1);
            assert!(tokens.recall(&keys, &Digest::of(&long), at(1)).is_some());
        }
    }
}
