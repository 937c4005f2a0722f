//! Every reason by which a connection, a caller or a request is refused before there is a decision, and
//! the troubles of our own that are told of: the page `docs/reasons.md`.
//!
//! The codes themselves stand where the rules are checked; this list says of each what it means, where
//! the rule is written and what the peer hears. A test holds the two together in both directions.

/// One reason code, in the words of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What records, metrics and conformance cases carry. A code is never changed or used again.
    pub code: &'static str,
    pub says: &'static str,
    /// Where the rule is written; empty where it is ours.
    pub section: &'static str,
    /// The TLS alert that the peer hears, by its name in RFC 8446 §6, or words in brackets.
    pub alert: &'static str,
}

const BAD: &str = "bad_certificate";
const EXPIRED: &str = "certificate_expired";
const UNKNOWN_CA: &str = "unknown_ca";
const REVOKED: &str = "certificate_revoked";
const NONE: &str = "(none)";
const BAD_REQUEST: &str = "(status 400)";
const UNAUTHENTICATED: &str = "(status 401)";

/// The reasons by what they are about, each list with its heading.
pub const REASONS: [(&str, &[Reason]); 10] = [
    ("The leaf: `svid`", SVID),
    ("The chain and its bundle: `trust`", TRUST),
    ("The peer: `peer`", PEER),
    ("The handshake: `tls`", TLS),
    ("The token: `jwt`", JWT),
    ("The request: `request` and `http`", REQUEST),
    ("Our own identity: `identity`", IDENTITY),
    ("Our own clock: `clock`", CLOCK),
    ("Troubles of our own, which refuse nobody: `identity` and `jwt`", TROUBLES),
    ("What makes a text no SPIFFE ID: `id`", ID),
];

const fn reason(
    code: &'static str,
    says: &'static str,
    section: &'static str,
    alert: &'static str,
) -> Reason {
    Reason { code, says, section, alert }
}

// The tables below are not formatted: a row is one line, so that a code is found with all that is said of it.
#[rustfmt::skip]
const SVID: &[Reason] = &[
    reason("svid.malformed", "The leaf is not the strict DER of one X.509 certificate of version 3.", "RFC 5280 §4.1", BAD),
    reason("svid.too_large", "The leaf is larger than is read before anything is proven.", "", BAD),
    reason("svid.duplicate_extension", "The leaf has the same extension twice.", "RFC 5280 §4.2", BAD),
    reason("svid.serial", "The serial number is negative, zero, padded or longer than 20 bytes.", "RFC 5280 §4.1.2.2", BAD),
    reason("svid.critical_extension", "The leaf has a critical extension that is not known, or one that only a CA may have.", "RFC 5280 §4.2", BAD),
    reason("svid.no_uri_san", "The leaf has no URI name, so it carries no SPIFFE ID; other names are never read as one.", "X509-SVID §2", BAD),
    reason("svid.two_uri_sans", "The leaf has more than one URI name.", "X509-SVID §2", BAD),
    reason("svid.noncanonical_id", "The URI name is not a canonical SPIFFE ID; the text says which rule it breaks.", "SPIFFE-ID §2", BAD),
    reason("svid.root_path", "The SPIFFE ID has no path, so it names a trust domain and no workload.", "X509-SVID §3.1", BAD),
    reason("svid.is_ca", "The leaf is the certificate of a CA.", "X509-SVID §4.1", BAD),
    reason("svid.key_usage", "The leaf's keyUsage is absent, not critical, lacks digitalSignature or has a right that only a CA may have.", "X509-SVID §4.3", BAD),
    reason("svid.extended_key_usage", "The leaf's extendedKeyUsage is present and lacks serverAuth or clientAuth.", "X509-SVID §4.4", BAD),
    reason("svid.weak_key", "The leaf's key is not RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519.", "", BAD),
    reason("svid.expired", "The SVID's time is over.", "RFC 5280 §4.1.2.5", EXPIRED),
    reason("svid.not_yet_valid", "The SVID's time has not begun; nothing is allowed for clocks that differ.", "RFC 5280 §4.1.2.5", EXPIRED),
    reason("svid.validity", "The SVID ends before it begins.", "RFC 5280 §4.1.2.5", BAD),
    reason("svid.revoked", "A list of revoked certificates by the SVID's issuer names it.", "RFC 5280 §6.3", REVOKED),
];

#[rustfmt::skip]
const TRUST: &[Reason] = &[
    reason("trust.no_bundle", "There is no bundle with roots for the trust domain that the ID names; no other is tried.", "Workload API §4.6", UNKNOWN_CA),
    reason("trust.unknown_issuer", "No root in the bundle of the ID's own trust domain issued the chain.", "RFC 5280 §6.1", UNKNOWN_CA),
    reason("trust.bad_signature", "A signature in the chain is not by the issuer that it names, or by a namesake that no key identifier tells apart.", "RFC 5280 §6.1.3", BAD),
    reason("trust.algorithm", "A signature in the chain is made by an algorithm that is not accepted, such as with SHA-1 or MD5.", "", BAD),
    reason("trust.weak_key", "An issuer's key is not RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519.", "", BAD),
    reason("trust.intermediate_validity", "An intermediate is expired or not yet valid.", "RFC 5280 §6.1.3", EXPIRED),
    reason("trust.root_expired", "The root that issued the chain is expired.", "RFC 5280 §4.1.2.5", UNKNOWN_CA),
    reason("trust.root_not_yet_valid", "The root that issued the chain is not yet valid.", "RFC 5280 §4.1.2.5", UNKNOWN_CA),
    reason("trust.revoked", "A list of revoked certificates by its issuer names an intermediate.", "RFC 5280 §6.3", REVOKED),
    reason("trust.issuer_not_ca", "An issuer is no CA: its basicConstraints lack cA.", "X509-SVID §4.1", BAD),
    reason("trust.issuer_key_usage", "An issuer's keyUsage lacks keyCertSign, an intermediate's is absent, or that of an issuer with a SPIFFE ID is not critical.", "X509-SVID §4.3", BAD),
    reason("trust.issuer_id", "An issuer's SPIFFE ID is not one canonical ID without path.", "X509-SVID §3.2", BAD),
    reason("trust.path_length", "The chain is longer than an issuer's path length allows.", "RFC 5280 §4.2.1.9", BAD),
    reason("trust.critical_extension", "An issuer has a critical extension that is not known; a root is no exception.", "RFC 5280 §4.2", BAD),
    reason("trust.extended_key_usage", "An intermediate's extendedKeyUsage does not allow the use.", "RFC 5280 §4.2.1.12", BAD),
    reason("trust.name_constraints", "An issuer's name constraints do not allow the chain's names.", "RFC 5280 §4.2.1.10", BAD),
    reason("trust.uri_name_constraints", "An issuer constrains the URI names below it, which is not supported: every such chain is refused.", "X509-SVID §4.2", BAD),
    reason("trust.malformed", "A certificate in the chain other than the leaf does not parse.", "RFC 5280 §4.1", BAD),
    reason("trust.chain_length", "More certificates were presented than are read.", "", BAD),
    reason("trust.chain_bytes", "More bytes of certificates were presented than are read.", "", BAD),
    reason("trust.path_budget", "The chain takes more steps to verify than are allowed.", "", BAD),
];

#[rustfmt::skip]
const PEER: &[Reason] = &[
    reason("peer.unexpected_id", "The server's SVID holds, but its ID is not the one that was dialled.", "", "access_denied"),
    reason("peer.blocked", "An operator put the peer or its trust domain on the deny-list (`portreeve block`).", "", "access_denied"),
    reason("peer.key_not_proven", "The peer did not prove that it holds the key of its certificate.", "RFC 8446 §4.4.3", "decrypt_error"),
];

#[rustfmt::skip]
const TLS: &[Reason] = &[
    reason("tls.not_tls", "The first bytes are not TLS.", "", NONE),
    reason("tls.version", "The peer speaks no version of TLS that is enabled.", "RFC 8446 §4.2.1", "protocol_version"),
    reason("tls.alpn", "The peer speaks no application protocol that is offered.", "RFC 7301 §3.2", "no_application_protocol"),
    reason("tls.no_certificate", "The peer presented no certificate where one is required.", "RFC 8446 §4.4.2.4", "certificate_required"),
    reason("tls.alert", "The peer ended the handshake with an alert: the text names it.", "RFC 8446 §6", NONE),
    reason("tls.protocol", "The handshake broke a rule of TLS, or the two ends have nothing in common: the text says what.", "RFC 8446", "(the fault's)"),
    reason("tls.closed", "The peer closed the connection during the handshake.", "", NONE),
    reason("tls.io", "The connection failed during the handshake.", "", NONE),
    reason("tls.timeout", "The handshake took too long.", "", NONE),
];

#[rustfmt::skip]
const JWT: &[Reason] = &[
    reason("jwt.missing", "There is no `Authorization` where a JWT-SVID is required.", "JWT-SVID §5.2", UNAUTHENTICATED),
    reason("jwt.two_authorizations", "There is more than one `Authorization`; a head over the wire is refused first, as `request.duplicate_header`.", "RFC 9110 §5.3", UNAUTHENTICATED),
    reason("jwt.not_bearer", "`Authorization` has another scheme than `Bearer`.", "JWT-SVID §5.2", UNAUTHENTICATED),
    reason("jwt.empty", "`Authorization: Bearer` holds no token.", "JWT-SVID §5.2", UNAUTHENTICATED),
    reason("jwt.other_workload", "Certificate and token hold, and name two workloads: the text names both.", "", UNAUTHENTICATED),
    reason("jwt.too_large", "The token or its header is larger than is read before anything is proven, or its claims hold more values than are kept.", "", UNAUTHENTICATED),
    reason("jwt.not_compact", "The token is not three parts of base64url.", "JWT-SVID §1, RFC 7515 §3.1", UNAUTHENTICATED),
    reason("jwt.base64", "A part is no base64url without padding and spare bits.", "RFC 7515 §2", UNAUTHENTICATED),
    reason("jwt.malformed", "The header or the claims are no JSON object.", "RFC 7519 §4", UNAUTHENTICATED),
    reason("jwt.duplicate_member", "The header or the claims have a member twice.", "RFC 7519 §4", UNAUTHENTICATED),
    reason("jwt.too_deep", "The header or the claims are nested too deep.", "", UNAUTHENTICATED),
    reason("jwt.algorithm", "The algorithm is absent or none of those that a JWT-SVID may have.", "JWT-SVID §2.1", UNAUTHENTICATED),
    reason("jwt.type", "The header's type is neither `JWT` nor `JOSE`.", "JWT-SVID §2.3", UNAUTHENTICATED),
    reason("jwt.header_type", "A member of the header is no text, or a longer one than is read.", "JWT-SVID §2", UNAUTHENTICATED),
    reason("jwt.header_member", "The header has more than `alg`, `kid` and `typ`.", "JWT-SVID §2", UNAUTHENTICATED),
    reason("jwt.claim_type", "A claim is not of its type.", "RFC 7519 §4.1", UNAUTHENTICATED),
    reason("jwt.no_subject", "The token has no subject.", "JWT-SVID §3.1", UNAUTHENTICATED),
    reason("jwt.noncanonical_subject", "The subject is not a canonical SPIFFE ID; the text says which rule it breaks.", "JWT-SVID §3.1", UNAUTHENTICATED),
    reason("jwt.root_path", "The subject has no path, so it names a trust domain and no workload.", "JWT-SVID §3.1", UNAUTHENTICATED),
    reason("jwt.no_bundle", "There is no JWT bundle of the subject's trust domain; no other is tried.", "Workload API §6.3", UNAUTHENTICATED),
    reason("jwt.unknown_key", "The bundle of the subject's trust domain has no usable key of that name.", "JWT-SVID §2.2", UNAUTHENTICATED),
    reason("jwt.no_key_id", "The token names no key, and the bundle has not exactly one.", "JWT-SVID §2.2", UNAUTHENTICATED),
    reason("jwt.key_algorithm", "The key is not one that verifies the token's algorithm.", "JWT-SVID §2.1", UNAUTHENTICATED),
    reason("jwt.signature", "The signature is wrong.", "RFC 7515 §5.2", UNAUTHENTICATED),
    reason("jwt.no_audience", "The token has no audience.", "JWT-SVID §3.2", UNAUTHENTICATED),
    reason("jwt.audience", "The token is for another audience.", "JWT-SVID §3.2", UNAUTHENTICATED),
    reason("jwt.date", "A claim is a time that cannot be represented.", "RFC 7519 §2", UNAUTHENTICATED),
    reason("jwt.no_expiry", "The token has no expiry.", "JWT-SVID §3.3", UNAUTHENTICATED),
    reason("jwt.expired", "The token's time is over.", "JWT-SVID §3.3", UNAUTHENTICATED),
    reason("jwt.not_yet_valid", "The token's time has not begun.", "RFC 7519 §4.1.5", UNAUTHENTICATED),
    reason("jwt.issued_in_future", "The token says that it was issued later than now.", "RFC 7519 §4.1.6", UNAUTHENTICATED),
];

#[rustfmt::skip]
const REQUEST: &[Reason] = &[
    reason("request.target_form", "The request target is not a path.", "RFC 9112 §3.2", BAD_REQUEST),
    reason("request.empty_segment", "The path has an empty segment (`//`).", "", BAD_REQUEST),
    reason("request.dot_segment", "The path has a dot segment.", "RFC 3986 §5.2.4", BAD_REQUEST),
    reason("request.encoded_slash", "The path has an encoded slash or backslash.", "", BAD_REQUEST),
    reason("request.path_byte", "The path has a byte that must not stand in a path.", "RFC 3986 §3.3", BAD_REQUEST),
    reason("request.percent_encoding", "The path has an invalid or doubled percent-encoding.", "RFC 3986 §2.1", BAD_REQUEST),
    reason("request.query", "The query is too long, has too many pairs or a byte that must not stand in it.", "RFC 3986 §3.4", BAD_REQUEST),
    reason("request.host", "There is no host, or more than one.", "RFC 9112 §3.2", BAD_REQUEST),
    reason("request.host_mismatch", "The host in the target and the `Host` header differ.", "RFC 9112 §3.2.2", BAD_REQUEST),
    reason("request.duplicate_header", "A header that may stand once, such as `Authorization`, stands twice.", "RFC 9110 §5.3", BAD_REQUEST),
    reason("request.header_byte", "A header has an invalid name or value.", "RFC 9110 §5.5", BAD_REQUEST),
    reason("request.connection_header", "`Connection` names a header that may not be removed.", "RFC 9110 §7.6.1", BAD_REQUEST),
    reason("request.method", "The method is not allowed here.", "", BAD_REQUEST),
    reason("request.upgrade", "The protocol upgrade that is asked for is not supported.", "RFC 9110 §7.8", BAD_REQUEST),
    reason("request.no_route", "No route has the host and the path.", "", "(status 404)"),
    reason("request.malformed", "The head is not one of HTTP.", "RFC 9112 §2.2", BAD_REQUEST),
    reason("request.head_too_large", "The head is larger than is read.", "", "(status 431 or 414)"),
    reason("request.body", "The caller's body broke off while a permitted request was sent on.", "", BAD_REQUEST),
    reason("http.protocol", "The connection broke a rule of HTTP/2 and was ended.", "RFC 9113 §5.4.1", NONE),
];

#[rustfmt::skip]
const IDENTITY: &[Reason] = &[
    reason("identity.unavailable", "There is no SVID of our own yet.", "Workload API §5.2.1", NONE),
    reason("identity.expired", "Our own SVID's time is over and no newer one came.", "RFC 5280 §4.1.2.5", NONE),
    reason("identity.withdrawn", "Our own SVID was withdrawn by its source.", "Workload API §5.2.1", NONE),
];

#[rustfmt::skip]
const CLOCK: &[Reason] = &[
    reason("clock.suspect", "Our clock is earlier than our release, our last record or our own SVID.", "RFC 5280 §4.1.2.5", NONE),
];

/// What readiness, `portreeve status` and events of kind `identity` say while it serves on.
#[rustfmt::skip]
const TROUBLES: &[Reason] = &[
    reason("identity.stale", "Our own SVID is near its end and no newer one came.", "Workload API §5.2.1", NONE),
    reason("identity.source_lost", "Nothing is heard of the source of our identity; what it last said stands.", "Workload API §5.2.1", NONE),
    reason("identity.update_rejected", "The source gave an update that cannot be used; what was before stands.", "Workload API §5.2.1", NONE),
    reason("identity.withdrawing", "The source says that we have no identity; after a grace ours is withdrawn.", "Workload API §5.2.1", NONE),
    reason("identity.bundle_rejected", "A bundle of a foreign trust domain cannot be used, so nobody of it is trusted.", "Workload API §5.2.1", NONE),
    reason("jwt.no_bundles", "A listener takes JWT-SVIDs, and there are no JWT bundles yet: not ready.", "Workload API §6.2.2", NONE),
    reason("jwt.bundles_not_updated", "No newer JWT bundles come; the last ones stand.", "Workload API §6.2.2", NONE),
];

#[rustfmt::skip]
const ID: &[Reason] = &[
    reason("id.scheme", "The scheme is not `spiffe` in lower case.", "SPIFFE-ID §2", NONE),
    reason("id.empty_trust_domain", "The trust domain is empty.", "SPIFFE-ID §2.1", NONE),
    reason("id.trust_domain_character", "The trust domain holds more than a-z, 0-9, `.`, `-` and `_`.", "SPIFFE-ID §2.1", NONE),
    reason("id.trust_domain_length", "The trust domain is longer than 255 bytes.", "SPIFFE-ID §2.3", NONE),
    reason("id.empty_segment", "The path has an empty segment or ends in `/`.", "SPIFFE-ID §2.2", NONE),
    reason("id.dot_segment", "The path has a `.` or `..` segment.", "SPIFFE-ID §2.2", NONE),
    reason("id.path_character", "The path holds more than a-z, A-Z, 0-9, `.`, `-` and `_`.", "SPIFFE-ID §2.2", NONE),
    reason("id.length", "The ID is longer than 2048 bytes.", "SPIFFE-ID §2.3", NONE),
];

/// What is known of a code.
#[must_use]
pub fn find(code: &str) -> Option<&'static Reason> {
    REASONS.iter().flat_map(|(_, reasons)| *reasons).find(|reason| reason.code == code)
}

#[cfg(test)]
mod tests;
