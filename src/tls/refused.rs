//! A handshake that failed, in the words of the record.

use std::{fmt, io};

use portreeve_core::record::printable;
use portreeve_core::spiffe::Claimed;
use portreeve_core::words::chain;
use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};

use super::PeerSvid;
use super::error::PeerError;
use super::verifier::PeerVerifier;
use crate::clock::ClockSuspect;

/// Why a connection ended before it had a peer.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The stable reason code that records and metrics use.
    pub reason: &'static str,
    /// The same in words, on one line.
    pub text: String,
    /// What the refused certificate claims to be; nothing of it is proven.
    pub claimed: Option<Box<Claimed>>,
    /// The alert that the peer was sent, by its name in RFC 8446 §6.
    pub alert: Option<&'static str>,
}

/// How far a handshake came before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of TLS has been read yet.
    Hello,
    Handshake,
}

impl Refused {
    pub(super) fn new(reason: &'static str, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), claimed: None, alert: None }
    }

    /// A connection that ends before a handshake could say anything of the peer.
    #[must_use]
    pub fn before_hello(reason: &'static str, text: impl Into<String>) -> Self {
        Self::new(reason, text)
    }

    /// A peer that the handshake accepted and that no longer holds.
    #[must_use]
    pub fn after_handshake(svid: &PeerSvid, error: &PeerError) -> Self {
        let claimed = svid.chain.first().map(|leaf| Box::new(Claimed::read(leaf)));
        Self { claimed, ..Self::new(error.reason(), chain(error)) }
    }

    /// Our own SVID is no longer valid, so no handshake is started.
    pub(super) fn own_svid_expired(at: portreeve_core::Timestamp) -> Self {
        Self::new("identity.expired", format!("our own SVID expired at {at}"))
    }

    /// Nothing can be said about anybody's validity, so no handshake is started.
    pub(super) fn clock_suspect(suspect: &ClockSuspect) -> Self {
        Self::new(ClockSuspect::REASON, suspect.to_string())
    }

    /// What the verifier refused, or else what went wrong on the wire.
    pub(super) fn from_io(
        error: &io::Error,
        phase: Phase,
        verifier: Option<&PeerVerifier>,
    ) -> Self {
        if let Some(refusal) = verifier.and_then(PeerVerifier::refusal) {
            return Self {
                reason: refusal.error.reason(),
                text: chain(&refusal.error),
                claimed: Some(Box::new(refusal.claimed.clone())),
                alert: Some(alert_name(refusal.error.alerting().into())),
            };
        }
        match tls_error(error) {
            Some(error) => Self::from_tls(error, phase),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => {
                    Self::new("tls.closed", "the peer closed the connection during the handshake")
                }
                _ => Self::new("tls.io", format!("the connection failed: {error}")),
            },
        }
    }

    fn from_tls(error: &Error, phase: Phase) -> Self {
        let (reason, text, alert) = match error {
            Error::InvalidMessage(InvalidMessage::InvalidContentType) if phase == Phase::Hello => {
                ("tls.not_tls", "the first bytes are not TLS".to_owned(), None)
            }
            Error::NoCertificatesPresented => {
                let text = "the peer presented no certificate".to_owned();
                ("tls.no_certificate", text, Some(AlertDescription::CertificateRequired))
            }
            Error::AlertReceived(alert) => {
                ("tls.alert", format!("the peer sent the alert {}", alert_name(*alert)), None)
            }
            Error::NoApplicationProtocol => {
                let text = "the peer speaks no protocol that is offered here (ALPN)".to_owned();
                ("tls.alpn", text, Some(AlertDescription::NoApplicationProtocol))
            }
            Error::PeerIncompatible(
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => {
                let text = "the peer speaks no version of TLS that is enabled here".to_owned();
                ("tls.version", text, Some(AlertDescription::ProtocolVersion))
            }
            other => ("tls.protocol", format!("the handshake failed: {other}"), None),
        };
        Self { alert: alert.map(alert_name), ..Self::new(reason, text) }
    }
}

/// The alert by which a peer ended a connection that was already open, as TLS 1.3 does to a client
/// whose certificate it refuses.
#[must_use]
pub fn alert_received(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        let found = match error.downcast_ref::<io::Error>() {
            Some(io) => tls_error(io),
            None => error.downcast_ref::<Error>(),
        };
        if let Some(Error::AlertReceived(alert)) = found {
            return Some(alert_name(*alert));
        }
        next = error.source();
    }
    None
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>())
}

/// The names of RFC 8446 §6.
pub(super) fn alert_name(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CloseNotify => "close_notify",
        AlertDescription::UnexpectedMessage => "unexpected_message",
        AlertDescription::BadRecordMac => "bad_record_mac",
        AlertDescription::RecordOverflow => "record_overflow",
        AlertDescription::HandshakeFailure => "handshake_failure",
        AlertDescription::BadCertificate => "bad_certificate",
        AlertDescription::UnsupportedCertificate => "unsupported_certificate",
        AlertDescription::CertificateRevoked => "certificate_revoked",
        AlertDescription::CertificateExpired => "certificate_expired",
        AlertDescription::CertificateUnknown => "certificate_unknown",
        AlertDescription::IllegalParameter => "illegal_parameter",
        AlertDescription::UnknownCA => "unknown_ca",
        AlertDescription::AccessDenied => "access_denied",
        AlertDescription::DecodeError => "decode_error",
        AlertDescription::DecryptError => "decrypt_error",
        AlertDescription::ProtocolVersion => "protocol_version",
        AlertDescription::InsufficientSecurity => "insufficient_security",
        AlertDescription::InternalError => "internal_error",
        AlertDescription::UserCanceled => "user_canceled",
        AlertDescription::MissingExtension => "missing_extension",
        AlertDescription::UnsupportedExtension => "unsupported_extension",
        AlertDescription::UnrecognisedName => "unrecognized_name",
        AlertDescription::CertificateRequired => "certificate_required",
        AlertDescription::NoApplicationProtocol => "no_application_protocol",
        _ => "other",
    }
}

/// `svid.expired: the SVID expired at …, 12 s ago (claims to be `spiffe://…`, serial 9f01, sha256 ab…,
/// alert certificate_expired)`: one line, whatever the certificate holds.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, printable(&self.text))?;
        let mut about = Vec::new();
        if let Some(claimed) = &self.claimed {
            // The ID of a chain that holds is no mere claim, and the text names it.
            let is_told = matches!(self.reason, "peer.unexpected_id" | "peer.blocked");
            let id = claimed.id.as_ref().filter(|_| !is_told);
            about.extend(id.map(|id| format!("claims to be `{}`", printable(id))));
            about.extend(claimed.serial.as_ref().map(|serial| format!("serial {serial}")));
            about.push(format!("sha256 {}", claimed.sha256));
        }
        about.extend(self.alert.map(|alert| format!("alert {alert}")));
        if about.is_empty() { Ok(()) } else { write!(f, " ({})", about.join(", ")) }
    }
}

impl std::error::Error for Refused {}
