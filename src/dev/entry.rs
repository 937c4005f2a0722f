//! Registration entries: which caller is which workload.

use std::str::FromStr;

use portreeve_core::spiffe::{SpiffeId, SpiffeIdError, TrustDomain};

/// Workload API §8: a hint has at most 1024 bytes.
const MAX_HINT_BYTES: usize = 1024;

/// A caller that matches the selector has this identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: SpiffeId,
    pub selector: Selector,
    /// What the identity is for, when a caller has several.
    pub hint: Option<String>,
}

/// What must hold of a caller. The kernel vouches for it (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The caller runs as this Unix user.
    Uid(u32),
    /// Everybody who can open the socket.
    Any,
}

/// Why an entry is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("entry `{0}` is not of the form `spiffe://TRUST-DOMAIN/PATH=uid:N[,hint:NAME]`")]
    Form(String),
    #[error("entry `{entry}` does not begin with a SPIFFE ID")]
    Id { entry: String, source: SpiffeIdError },
    #[error("`{0}` names a trust domain, an entry needs a workload: add a path")]
    NoPath(SpiffeId),
    #[error("`{id}` is not in the trust domain `{trust_domain}`")]
    TrustDomain { id: SpiffeId, trust_domain: TrustDomain },
    #[error("the hint of `{0}` is empty or longer than {MAX_HINT_BYTES} bytes")]
    Hint(SpiffeId),
}

impl Entry {
    /// Gives everybody who can open the socket this identity.
    #[must_use]
    pub fn any(id: SpiffeId) -> Self {
        Self { id, selector: Selector::Any, hint: None }
    }

    pub(super) fn check(&self, trust_domain: &TrustDomain) -> Result<(), EntryError> {
        let id = || self.id.clone();
        if self.id.path().is_empty() {
            return Err(EntryError::NoPath(id()));
        }
        if self.id.trust_domain() != trust_domain {
            return Err(EntryError::TrustDomain { id: id(), trust_domain: trust_domain.clone() });
        }
        match &self.hint {
            Some(hint) if hint.is_empty() || hint.len() > MAX_HINT_BYTES => {
                Err(EntryError::Hint(id()))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Selector {
    pub(super) fn matches(self, uid: u32) -> bool {
        match self {
            Self::Uid(only) => only == uid,
            Self::Any => true,
        }
    }
}

/// Reads `spiffe://demo.test/web=uid:1000` or `spiffe://demo.test/web=uid:1000,hint:main`; the
/// selector may be written as SPIRE does, `unix:uid:1000`.
impl FromStr for Entry {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let form = || EntryError::Form(text.to_owned());
        let (id, rest) = text.split_once('=').ok_or_else(form)?;
        let id = SpiffeId::parse(id)
            .map_err(|source| EntryError::Id { entry: text.to_owned(), source })?;
        let (selector, hint) = match rest.split_once(',') {
            Some((selector, hint)) => {
                (selector, Some(hint.strip_prefix("hint:").ok_or_else(form)?))
            }
            None => (rest, None),
        };
        let selector = selector.strip_prefix("unix:").unwrap_or(selector);
        let uid = selector.strip_prefix("uid:").ok_or_else(form)?;
        let selector = Selector::Uid(uid.parse().map_err(|_| form())?);
        Ok(Self { id, selector, hint: hint.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, u32, Option<&str>), &str>) {
        let seen = text.parse::<Entry>().map_err(|error| error.to_string());
        match expected {
            Ok((id, uid, hint)) => {
                let id = SpiffeId::parse(id).unwrap();
                let hint = hint.map(str::to_owned);
                assert_eq!(seen, Ok(Entry { id, selector: Selector::Uid(uid), hint }), "{text}");
            }
            Err(words) => assert!(seen.as_ref().unwrap_err().contains(words), "{text}: {seen:?}"),
        }
    }

    #[test]
    fn an_entry_names_an_id_a_user_and_perhaps_a_hint() {
        check("spiffe://a.test/x=uid:0", Ok(("spiffe://a.test/x", 0, None)));
        check("spiffe://a.test/x=unix:uid:7", Ok(("spiffe://a.test/x", 7, None)));
        check("spiffe://a.test/x=uid:7,hint:in", Ok(("spiffe://a.test/x", 7, Some("in"))));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        check("spiffe://a.test/x", Err("not of the form"));
        check("spiffe://a.test/x=7", Err("not of the form"));
        check("spiffe://a.test/x=uid:-1", Err("not of the form"));
        check("spiffe://a.test/x=gid:7", Err("not of the form"));
        check("spiffe://a.test/x=uid:7,main", Err("not of the form"));
        check("http://a.test/x=uid:7", Err("does not begin with a SPIFFE ID"));
    }

    #[test]
    fn an_entry_belongs_to_its_trust_domain_and_names_a_workload() {
        let ours = TrustDomain::parse("a.test").unwrap();
        let entry = |text: &str| text.parse::<Entry>().unwrap().check(&ours);
        assert_eq!(entry("spiffe://a.test/x=uid:1"), Ok(()));
        assert!(matches!(entry("spiffe://a.test=uid:1"), Err(EntryError::NoPath(_))));
        assert!(matches!(entry("spiffe://b.test/x=uid:1"), Err(EntryError::TrustDomain { .. })));
        assert!(matches!(entry("spiffe://a.test/x=uid:1,hint:"), Err(EntryError::Hint(_))));
    }
}
