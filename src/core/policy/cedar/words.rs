//! The words of our Cedar schema as typed ids, made once per bundle.

use cedar_policy::{EntityId, EntityTypeName, EntityUid, ParseErrors};

/// The schema that every bundle is validated against, beside its own additions.
pub(super) const SCHEMA: &str = include_str!("../../../../schemas/portreeve.cedarschema");

/// The entity types that a request is made of.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) trust_domain: EntityTypeName,
    pub(super) spiffe_prefix: EntityTypeName,
    pub(super) workload: EntityTypeName,
    pub(super) service: EntityTypeName,
    pub(super) path: EntityTypeName,
    pub(super) route: EntityTypeName,
    pub(super) anonymous: EntityUid,
    pub(super) headers: EntityUid,
    pub(super) query: EntityUid,
    pub(super) claims: EntityUid,
}

impl Words {
    pub(super) fn new() -> Result<Self, Box<ParseErrors>> {
        let named = |name: &str, id: &str| Ok::<_, Box<ParseErrors>>(named(&kind(name)?, id));
        Ok(Self {
            trust_domain: kind("TrustDomain")?,
            spiffe_prefix: kind("SpiffePrefix")?,
            workload: kind("Workload")?,
            service: kind("Service")?,
            path: kind("Path")?,
            route: kind("Route")?,
            anonymous: named("Anonymous", "anonymous")?,
            headers: named("Headers", "request")?,
            query: named("Query", "request")?,
            claims: named("Claims", "request")?,
        })
    }
}

fn kind(name: &str) -> Result<EntityTypeName, Box<ParseErrors>> {
    name.parse().map_err(Box::new)
}

pub(super) fn named(entity_type: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(entity_type.clone(), EntityId::new(id))
}

pub(super) const OTHER: &str = "OTHER";
/// The actions of HTTP requests. A method that is not here, whatever its name, is `OTHER`.
pub(super) const ACTIONS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

/// `/a/b/c` cut at its slashes: `/`, `/a`, `/a/b`, and at last the whole; likewise
/// `spiffe://td/a` gives `spiffe://td` and itself. `from` is where the first cut may be.
pub(super) fn prefixes(text: &str, from: usize, longest: usize) -> impl Iterator<Item = &str> {
    let cuts = text.match_indices('/').map(|(at, _)| at).filter(move |at| *at >= from);
    let root = text.starts_with('/').then_some("/");
    let whole = (text != "/").then_some(text);
    root.into_iter()
        .chain(cuts.take_while(move |at| *at <= longest).filter_map(|at| text.get(..at)))
        .chain(whole)
}
