//! Ids of entities that no request bears.

use cedar_policy::EntityUid;

use super::words::Words;
use crate::request::canonical_path;
use crate::spiffe::{SpiffeId, TrustDomain};

/// Whether a request could ever bear this id.
pub(super) fn check_id(words: &Words, uid: &EntityUid) -> Result<(), String> {
    let id = uid.id().unescaped();
    let refuse = |error: &dyn std::fmt::Display| Err(format!("`{uid}` never matches: {error}"));
    let kind = uid.type_name();
    if *kind == words.workload || *kind == words.spiffe_prefix {
        match SpiffeId::parse(id) {
            Ok(id) if *kind == words.workload && id.path().is_empty() => {
                refuse(&"the ID of a workload has a path")
            }
            Ok(_) => Ok(()),
            Err(error) => refuse(&error),
        }
    } else if *kind == words.trust_domain {
        TrustDomain::parse(id).map(|_| ()).or_else(|error| refuse(&error))
    } else if *kind == words.path {
        canonical_path(id).or_else(|error| refuse(&error))
    } else if kind == words.anonymous.type_name() && *uid != words.anonymous {
        refuse(&format!("a caller without identity is `{}`", words.anonymous))
    } else {
        Ok(())
    }
}
