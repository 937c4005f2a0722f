//! SPIFFE identities: the ID itself, the rules of an X.509-SVID leaf and those of a JWT-SVID.
//!
//! A certificate's bytes enter, an ID or the name of the rule that it breaks leaves. Chains are
//! verified elsewhere (`tls`), under the bundle of the trust domain that the ID names. A token enters
//! with the JWT bundles and is verified here.

mod id;
pub mod reasons;
mod svid;
pub mod jwt;

pub use id::{SpiffeId, SpiffeIdError, TrustDomain};
pub use jwt::{AuthorityFault, JwtAuthorities, JwtError, JwtKeyName, JwtSvid, UnusableAuthority};
pub use svid::{
    CertificateFacts, Claimed, Issuer, IssuerError, KeyFault, KeyUsageFault, Leaf, Links, SvidError,
};
