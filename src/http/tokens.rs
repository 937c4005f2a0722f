//! The tokens that were verified on one connection: each costs one check of its signature.
//!
//! Only what was verified is remembered, by its digest and never itself, and no longer than the token
//! holds and the keys that verified it are in force.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use portreeve_core::Timestamp;
use portreeve_core::spiffe::JwtAuthorities;
use sha2::{Digest as _, Sha256};

use super::caller::Caller;

/// One caller uses one token at a time; behind a connection that carries several there are some. Beyond
/// this the oldest is forgotten, and verified again when it comes back.
const MAX_TOKENS: usize = 32;

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

/// SHA-256 of a token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
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
        if remembered.tokens.len() >= MAX_TOKENS {
            remembered.tokens.pop_front();
        }
        remembered.tokens.push_back(Token { digest, until, caller });
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}
