//! SPIFFE IDs in canonical form (SPIFFE-ID §2): what is not canonical is refused, never repaired.

use std::fmt;
use std::sync::Arc;

/// SPIFFE-ID §2.3: validators support URIs of 2048 bytes.
const MAX_URI_BYTES: usize = 2048;
/// SPIFFE-ID §2.3: the longest name of a trust domain.
const MAX_TRUST_DOMAIN_BYTES: usize = 255;
const SCHEME: &str = "spiffe://";

/// The name of a trust domain, without scheme: `prod.example.org`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(Arc<str>);

/// A canonical SPIFFE ID: `spiffe://prod.example.org/ns/shop/sa/orders`. The path may be empty, as
/// it is in the ID of a trust domain itself; a leaf's may not (see [`super::Leaf`]).
#[derive(Clone)]
pub struct SpiffeId {
    uri: Arc<str>,
    trust_domain: TrustDomain,
}

/// Why a text is no canonical SPIFFE ID. Each variant is a rule of SPIFFE-ID §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeIdError {
    #[error("the scheme must be `spiffe` in lower case (SPIFFE-ID §2)")]
    Scheme,
    #[error("the trust domain is empty (SPIFFE-ID §2.1)")]
    EmptyTrustDomain,
    #[error("the trust domain may hold only a-z, 0-9, `.`, `-` and `_` (SPIFFE-ID §2.1)")]
    TrustDomainCharacter,
    #[error("the trust domain is longer than 255 bytes (SPIFFE-ID §2.3)")]
    TrustDomainLength,
    #[error("the path has an empty segment or ends in `/` (SPIFFE-ID §2.2)")]
    EmptySegment,
    #[error("the path has a `.` or `..` segment (SPIFFE-ID §2.2)")]
    DotSegment,
    #[error("the path may hold only a-z, A-Z, 0-9, `.`, `-` and `_` (SPIFFE-ID §2.2)")]
    PathCharacter,
    #[error("the ID is longer than 2048 bytes (SPIFFE-ID §2.3)")]
    Length,
}

impl SpiffeIdError {
    /// The stable reason code that records, metrics and conformance cases use.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Scheme => "id.scheme",
            Self::EmptyTrustDomain => "id.empty_trust_domain",
            Self::TrustDomainCharacter => "id.trust_domain_character",
            Self::TrustDomainLength => "id.trust_domain_length",
            Self::EmptySegment => "id.empty_segment",
            Self::DotSegment => "id.dot_segment",
            Self::PathCharacter => "id.path_character",
            Self::Length => "id.length",
        }
    }
}

impl TrustDomain {
    /// Reads a bare name such as `prod.example.org`.
    ///
    /// # Errors
    /// The name breaks SPIFFE-ID §2.1 or §2.3.
    pub fn parse(name: &str) -> Result<Self, SpiffeIdError> {
        if name.is_empty() {
            return Err(SpiffeIdError::EmptyTrustDomain);
        }
        let legal = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if !name.bytes().all(legal) {
            return Err(SpiffeIdError::TrustDomainCharacter);
        }
        if name.len() > MAX_TRUST_DOMAIN_BYTES {
            return Err(SpiffeIdError::TrustDomainLength);
        }
        Ok(Self(name.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SpiffeId {
    /// Reads an ID that is already canonical.
    ///
    /// # Errors
    /// The text breaks a rule of SPIFFE-ID §2.
    pub fn parse(uri: &str) -> Result<Self, SpiffeIdError> {
        if uri.len() > MAX_URI_BYTES {
            return Err(SpiffeIdError::Length);
        }
        let rest = uri.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (name, path) = match rest.split_once('/') {
            Some((name, path)) => (name, Some(path)),
            None => (rest, None),
        };
        let trust_domain = TrustDomain::parse(name)?;
        path.map_or(Ok(()), check_path)?;
        Ok(Self { uri: uri.into(), trust_domain })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path with its leading slash, or an empty text: `/ns/shop/sa/orders`.
    #[must_use]
    pub fn path(&self) -> &str {
        let start = SCHEME.len() + self.trust_domain.0.len();
        self.uri.get(start..).unwrap_or_default()
    }

    /// The path's segments: `ns`, `shop`, `sa`, `orders`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path().split('/').skip(1)
    }
}

fn check_path(path: &str) -> Result<(), SpiffeIdError> {
    for segment in path.split('/') {
        match segment {
            "" => return Err(SpiffeIdError::EmptySegment),
            "." | ".." => return Err(SpiffeIdError::DotSegment),
            _ => {}
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if !segment.bytes().all(legal) {
            return Err(SpiffeIdError::PathCharacter);
        }
    }
    Ok(())
}

impl PartialEq for SpiffeId {
    fn eq(&self, other: &Self) -> bool {
        self.uri == other.uri
    }
}

impl Eq for SpiffeId {}

impl std::hash::Hash for SpiffeId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.uri.hash(state);
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, expected: Result<(&str, &str), SpiffeIdError>) {
        let parsed = SpiffeId::parse(uri);
        let seen = parsed.as_ref().map(|id| (id.trust_domain().as_str(), id.path()));
        assert_eq!(seen.map_err(|e| *e), expected, "{uri}");
    }

    #[test]
    fn canonical_ids_are_read() {
        check("spiffe://td", Ok(("td", "")));
        check(
            "spiffe://prod.example.org/ns/a_b/sa/x-1",
            Ok(("prod.example.org", "/ns/a_b/sa/x-1")),
        );
        check("spiffe://1.2.3.4/..x/...", Ok(("1.2.3.4", "/..x/...")));
        let id = SpiffeId::parse("spiffe://td/a/B").unwrap();
        assert_eq!(id.segments().collect::<Vec<_>>(), ["a", "B"]);
    }

    #[test]
    fn what_is_not_canonical_is_refused_by_rule() {
        use SpiffeIdError as E;
        for (uri, error) in [
            ("", E::Scheme),
            ("SPIFFE://td/a", E::Scheme),
            ("https://td/a", E::Scheme),
            ("spiffe:/td/a", E::Scheme),
            ("spiffe://", E::EmptyTrustDomain),
            ("spiffe:///a", E::EmptyTrustDomain),
            ("spiffe://TD/a", E::TrustDomainCharacter),
            ("spiffe://td:80/a", E::TrustDomainCharacter),
            ("spiffe://u@td/a", E::TrustDomainCharacter),
            ("spiffe://td?q/a", E::TrustDomainCharacter),
            ("spiffe://[::1]/a", E::TrustDomainCharacter),
            ("spiffe://td/", E::EmptySegment),
            ("spiffe://td/a/", E::EmptySegment),
            ("spiffe://td//a", E::EmptySegment),
            ("spiffe://td/./a", E::DotSegment),
            ("spiffe://td/a/..", E::DotSegment),
            ("spiffe://td/a%2Fb", E::PathCharacter),
            ("spiffe://td/a?q", E::PathCharacter),
            ("spiffe://td/a#f", E::PathCharacter),
            ("spiffe://td/\u{fc}", E::PathCharacter),
            ("spiffe://td/a\0", E::PathCharacter),
        ] {
            check(uri, Err(error));
        }
        check(&format!("spiffe://{}/a", "t".repeat(256)), Err(E::TrustDomainLength));
        check(&format!("spiffe://td/{}", "a".repeat(2048)), Err(E::Length));
    }
}
