//! Why a head has no canonical form.

/// Why a head has no canonical form: answered 400 and recorded, never decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    #[error("the request target is not a path")]
    TargetForm,
    #[error("the path has an empty segment (`//`)")]
    EmptySegment,
    #[error("the path has a dot segment")]
    DotSegment,
    #[error("the path has an encoded slash or backslash")]
    EncodedSlash,
    #[error("the path has a byte that must not stand in a path")]
    PathByte,
    #[error("the path has an invalid or doubled percent-encoding")]
    PercentEncoding,
    #[error("the query is too long, has too many pairs or a byte that must not stand in it")]
    Query,
    #[error("there is no host, or more than one")]
    Host,
    #[error("the host in the target and the Host header differ")]
    HostMismatch,
    #[error("a header that may stand once stands twice")]
    DuplicateHeader,
    #[error("a header has an invalid name or value")]
    HeaderByte,
    #[error("`Connection` names a header that may not be removed")]
    ConnectionHeader,
    #[error("the method is not allowed here")]
    Method,
    #[error("the requested protocol upgrade is not supported")]
    Upgrade,
}

impl Refusal {
    /// The stable reason code that records, metrics and conformance cases use.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TargetForm => "request.target_form",
            Self::EmptySegment => "request.empty_segment",
            Self::DotSegment => "request.dot_segment",
            Self::EncodedSlash => "request.encoded_slash",
            Self::PathByte => "request.path_byte",
            Self::PercentEncoding => "request.percent_encoding",
            Self::Query => "request.query",
            Self::Host => "request.host",
            Self::HostMismatch => "request.host_mismatch",
            Self::DuplicateHeader => "request.duplicate_header",
            Self::HeaderByte => "request.header_byte",
            Self::ConnectionHeader => "request.connection_header",
            Self::Method => "request.method",
            Self::Upgrade => "request.upgrade",
        }
    }
}
