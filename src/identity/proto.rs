//! The messages of the SPIFFE Workload API (`workloadapi.proto`, service `SpiffeWorkloadAPI`, no
//! package), as far as both ends use them. Names differ from the published file in case only; the
//! tags are its own. What carries a key or a token has a `Debug` that leaves it out.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

/// The metadata key that every call carries, with the value `true`: a request forged through a
/// confused HTTP client (SSRF) does not have it (Workload Endpoint §3).
pub(crate) const SECURITY_HEADER: &str = "workload.spiffe.io";

pub(crate) const FETCH_X509_SVID: &str = "/SpiffeWorkloadAPI/FetchX509SVID";
pub(crate) const FETCH_X509_BUNDLES: &str = "/SpiffeWorkloadAPI/FetchX509Bundles";
pub(crate) const FETCH_JWT_SVID: &str = "/SpiffeWorkloadAPI/FetchJWTSVID";
pub(crate) const FETCH_JWT_BUNDLES: &str = "/SpiffeWorkloadAPI/FetchJWTBundles";
pub(crate) const VALIDATE_JWT_SVID: &str = "/SpiffeWorkloadAPI/ValidateJWTSVID";

/// Asks for X.509-SVIDs.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct X509SvidRequest {}

/// All X.509-SVIDs of the caller and the bundles it may trust: always the full state.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct X509SvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) svids: Vec<X509Svid>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(crate) crl: Vec<Bytes>,
    /// DER certificates, concatenated, by the SPIFFE ID of the foreign trust domain.
    #[prost(btree_map = "string, bytes", tag = "3")]
    pub(crate) federated_bundles: BTreeMap<String, Bytes>,
}

/// One X.509-SVID with its key and the bundle of its trust domain.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct X509Svid {
    #[prost(string, tag = "1")]
    pub(crate) spiffe_id: String,
    /// DER certificates, concatenated, the leaf first.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) x509_svid: Bytes,
    /// PKCS#8 DER, not encrypted.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) x509_svid_key: Bytes,
    /// DER certificates, concatenated.
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) bundle: Bytes,
    #[prost(string, tag = "5")]
    pub(crate) hint: String,
}

/// Asks for X.509 bundles.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct X509BundlesRequest {}

/// The X.509 bundles that the caller may trust.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct X509BundlesResponse {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) crl: Vec<Bytes>,
    /// DER certificates, concatenated, by the SPIFFE ID of the trust domain.
    #[prost(btree_map = "string, bytes", tag = "2")]
    pub(crate) bundles: BTreeMap<String, Bytes>,
}

/// Asks for JWT-SVIDs for an audience, of one SPIFFE ID or of all.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtSvidRequest {
    #[prost(string, repeated, tag = "1")]
    pub(crate) audience: Vec<String>,
    #[prost(string, tag = "2")]
    pub(crate) spiffe_id: String,
}

/// The JWT-SVIDs asked for.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtSvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) svids: Vec<JwtSvid>,
}

/// One JWT-SVID.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct JwtSvid {
    #[prost(string, tag = "1")]
    pub(crate) spiffe_id: String,
    #[prost(string, tag = "2")]
    pub(crate) svid: String,
    #[prost(string, tag = "3")]
    pub(crate) hint: String,
}

/// Asks for JWT bundles.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtBundlesRequest {}

/// The JWT bundles that the caller may trust.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtBundlesResponse {
    /// JWK sets, by the SPIFFE ID of the trust domain.
    #[prost(btree_map = "string, bytes", tag = "1")]
    pub(crate) bundles: BTreeMap<String, Bytes>,
}

/// Asks whether a JWT-SVID holds for an audience.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(crate) struct ValidateJwtSvidRequest {
    #[prost(string, tag = "1")]
    pub(crate) audience: String,
    #[prost(string, tag = "2")]
    pub(crate) svid: String,
}

/// Whose JWT-SVID it is and what it claims.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ValidateJwtSvidResponse {
    #[prost(string, tag = "1")]
    pub(crate) spiffe_id: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) claims: Option<prost_types::Struct>,
}

impl fmt::Debug for X509Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Svid")
            .field("spiffe_id", &self.spiffe_id)
            .field("hint", &self.hint)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for JwtSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSvid")
            .field("spiffe_id", &self.spiffe_id)
            .field("hint", &self.hint)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ValidateJwtSvidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateJwtSvidRequest")
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
