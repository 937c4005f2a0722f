//! The JWT bundles of all trust domains: JSON Web Key Sets enter, keys by trust domain and `kid` leave.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde_json::{Map, Value};

use super::json::{self, Fault};
use super::key::{self, AuthorityFault, Key, MAX_KEY_ID_BYTES};
use crate::spiffe::TrustDomain;
use crate::spiffe::svid::printable;

/// A message of the Workload API, which carries all bundles, is no longer.
const MAX_BUNDLE_BYTES: usize = 4 << 20;
/// A server publishes two or three keys; this is for a domain of hundreds of servers.
const MAX_KEYS: usize = 1000;
/// Of a `kid` that is shown.
const MAX_SHOWN_BYTES: usize = 64;

/// The keys of every trust domain's JWT bundle, each prepared once. Nothing changes them: an update of
/// the bundles makes new ones.
#[derive(Default)]
pub struct JwtAuthorities {
    domains: BTreeMap<TrustDomain, Keys>,
    unusable: Vec<UnusableAuthority>,
}

/// The usable keys of a trust domain by their `kid`.
pub(super) type Keys = BTreeMap<Box<str>, Key>;

/// A key, or a whole bundle, that verifies nothing though it seems meant to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableAuthority {
    pub trust_domain: TrustDomain,
    /// Of the key, printable and cut; `None` if the fault is the bundle's or the key has none.
    pub kid: Option<String>,
    pub why: AuthorityFault,
}

/// `bundle of `a.test`, key `one`: the point is not on the curve`
impl fmt::Display for UnusableAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JWT bundle of `{}`", self.trust_domain.as_str())?;
        if let Some(kid) = &self.kid {
            write!(f, ", key `{kid}`")?;
        }
        write!(f, ": {}", self.why)
    }
}

impl JwtAuthorities {
    /// Reads a key set for each trust domain. One that cannot be read trusts nothing and is listed, as is
    /// a key that cannot be used; neither touches the other domains.
    #[must_use]
    pub fn new<'a>(bundles: impl IntoIterator<Item = (TrustDomain, &'a [u8])>) -> Self {
        let mut authorities = Self::default();
        for (trust_domain, bundle) in bundles {
            let mut list = |kid: Option<&str>, why| {
                let kid = kid.map(|kid| printable(kid, MAX_SHOWN_BYTES));
                let trust_domain = trust_domain.clone();
                authorities.unusable.push(UnusableAuthority { trust_domain, kid, why });
            };
            let keys = match members(bundle) {
                Ok(members) => keys(&members, &mut list),
                Err(why) => {
                    list(None, why);
                    Keys::new()
                }
            };
            match authorities.domains.entry(trust_domain.clone()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(keys);
                }
                // Bundles are never pooled (SPIFFE Federation §4.2), and neither is the right one.
                Entry::Occupied(mut occupied) => {
                    occupied.get_mut().clear();
                    list(None, AuthorityFault::TwoBundles);
                }
            }
        }
        authorities
    }

    /// What verifies nothing, for a log line.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableAuthority] {
        &self.unusable
    }

    /// The trust domains that have a bundle, each with the number of its usable keys.
    pub fn trust_domains(&self) -> impl Iterator<Item = (&TrustDomain, usize)> {
        self.domains.iter().map(|(name, keys)| (name, keys.len()))
    }

    pub(super) fn of(&self, trust_domain: &TrustDomain) -> Option<&Keys> {
        self.domains.get(trust_domain)
    }
}

impl fmt::Debug for JwtAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut domains = f.debug_map();
        domains.entries(self.trust_domains().map(|(name, keys)| (name.as_str(), keys))).finish()
    }
}

/// The entries of a key set.
fn members(bundle: &[u8]) -> Result<Vec<Value>, AuthorityFault> {
    if bundle.len() > MAX_BUNDLE_BYTES {
        return Err(AuthorityFault::TooLarge);
    }
    let mut set = json::object(bundle, json::MAX_BUNDLE_VALUES).map_err(|fault| match fault {
        Fault::NoObject => AuthorityFault::NoObject,
        Fault::DuplicateMember => AuthorityFault::DuplicateMember,
        Fault::TooDeep => AuthorityFault::TooDeep,
        Fault::TooManyValues => AuthorityFault::TooLarge,
    })?;
    let Some(Value::Array(members)) = set.swap_remove("keys") else {
        return Err(AuthorityFault::NoKeys);
    };
    if members.len() > MAX_KEYS {
        return Err(AuthorityFault::TooManyKeys);
    }
    Ok(members)
}

/// The usable keys; what is not usable is listed.
fn keys(members: &[Value], list: &mut impl FnMut(Option<&str>, AuthorityFault)) -> Keys {
    let mut keys = Keys::new();
    let mut taken = BTreeMap::<&str, usize>::new();
    for member in members {
        let Value::Object(jwk) = member else {
            list(None, AuthorityFault::NoKey);
            continue;
        };
        let kid = key_id(jwk);
        match key::read(jwk) {
            Ok(None) => {}
            Ok(Some(key)) => match kid {
                Some(kid) => {
                    let uses = taken.entry(kid).or_default();
                    *uses = uses.saturating_add(1);
                    keys.insert(kid.into(), key);
                }
                None => list(None, AuthorityFault::KeyId),
            },
            Err(why) => {
                // Its `kid` is taken nevertheless: a token that names it names no one key.
                if let Some(kid) = kid {
                    let uses = taken.entry(kid).or_default();
                    *uses = uses.saturating_add(1);
                }
                list(kid, why);
            }
        }
    }
    for (kid, _) in taken.into_iter().filter(|(_, uses)| *uses > 1) {
        // Which of them a token means cannot be known.
        keys.remove(kid);
        list(Some(kid), AuthorityFault::DuplicateKeyId);
    }
    keys
}

fn key_id(jwk: &Map<String, Value>) -> Option<&str> {
    let kid = jwk.get("kid").and_then(Value::as_str);
    kid.filter(|kid| !kid.is_empty() && kid.len() <= MAX_KEY_ID_BYTES)
}
