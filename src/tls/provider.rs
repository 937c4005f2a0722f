//! The cryptography and the clock of every handshake, named here and never taken from the process.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};

use crate::clock::Clock;

/// aws-lc with hybrid X25519MLKEM768 first (feature `prefer-post-quantum`). Every suite that rustls
/// has is AEAD with forward secrecy, in TLS 1.2 as well.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

pub(super) fn crypto() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}

/// What a signature in a chain or a handshake may be made with: no SHA-1, no RSA below 2048 bits.
pub(super) fn signature_algorithms() -> &'static WebPkiSupportedAlgorithms {
    &PROVIDER.signature_verification_algorithms
}

pub(super) fn versions(tls12: bool) -> Vec<&'static SupportedProtocolVersion> {
    if tls12 { vec![&TLS13, &TLS12] } else { vec![&TLS13] }
}

/// rustls asks our clock, so that a test can move it.
#[derive(Debug)]
pub(super) struct HandshakeTime(pub(super) Clock);

impl TimeProvider for HandshakeTime {
    /// `None` before 1970, which fails the handshake.
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix_seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
