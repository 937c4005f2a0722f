//! SPIFFE identities: the ID itself and the rules of an X.509-SVID leaf.
//!
//! A certificate's bytes enter, an ID or the name of the rule that it breaks leaves. Chains are
//! verified elsewhere (`tls`), under the bundle of the trust domain that the ID names.

mod id;
pub mod reasons;
mod svid;

pub use id::{SpiffeId, SpiffeIdError, TrustDomain};
pub use svid::{
    CertificateFacts, Claimed, Issuer, IssuerError, KeyFault, KeyUsageFault, Leaf, Links, SvidError,
};
