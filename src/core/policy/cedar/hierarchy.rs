//! Which entities a decision needs: the principal, the action and the resource with all their
//! ancestors, as a bundle and a request together say.

use std::collections::{BTreeSet, HashSet};

use cedar_policy::{Entities, Entity, EntityUid, EvalResult, RestrictedExpression};

use super::facts::strings;
use super::words::{Words, named, prefixes};
use crate::request::AccessRequest;

/// Where the trust domain's name begins in a SPIFFE ID.
const AUTHORITY: usize = "spiffe://".len();
/// Entities with data that policies look into: they stand beside every principal.
const MAX_REACHABLE: usize = 1_000;

type Failure = Box<dyn std::error::Error>;

/// What a bundle says about ancestors.
#[derive(Debug)]
pub(super) struct Hierarchy {
    /// `entities.json`, with the ancestors of each complete.
    given: Entities,
    /// The part of it that policies reach by name.
    reachable: Entities,
    spiffe_prefixes: Known,
    paths: Known,
}

/// Ids that some policy or data names: no other ancestor can matter, so no other is built.
#[derive(Debug, Default)]
struct Known {
    ids: HashSet<String>,
    longest: usize,
}

impl Hierarchy {
    /// `named` are all entity literals of the policies and their links, and the paths that first tests
    /// ask for; `deep` the literals of policies that look into entities other than the request's own.
    pub(super) fn new(
        words: &Words,
        given: Entities,
        named: &BTreeSet<EntityUid>,
        deep: &BTreeSet<EntityUid>,
    ) -> Result<Self, String> {
        let reached = reach(&given, deep)?;
        let held: Vec<_> = given.iter().flat_map(references).collect();
        let all = || {
            let uids = given.iter().map(Entity::uid);
            named.iter().chain(&held).cloned().chain(uids)
        };
        let data = reached.iter().filter_map(|uid| given.get(uid)).cloned();
        let reachable = Entities::from_entities(data, None).map_err(|error| error.to_string())?;
        Ok(Self {
            spiffe_prefixes: Known::of(all().filter(|u| *u.type_name() == words.spiffe_prefix)),
            paths: Known::of(all().filter(|uid| *uid.type_name() == words.path)),
            reachable,
            given,
        })
    }

    /// The longest part of a path that is known.
    pub(super) fn longest_path<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.paths.among(path, 1).last()
    }

    pub(super) fn resource(&self, words: &Words, request: &AccessRequest) -> EntityUid {
        named(&words.route, &request.route)
    }

    /// The known ancestors of a request's route.
    pub(super) fn above_resource(
        &self,
        words: &Words,
        request: &AccessRequest,
    ) -> HashSet<EntityUid> {
        let paths = self.paths.among(request.head.path(), 1);
        above_resource(words, paths, request)
    }

    /// The known ancestors of a request's principal, groups among them.
    pub(super) fn above_principal(
        &self,
        words: &Words,
        uid: &EntityUid,
        request: &AccessRequest,
    ) -> HashSet<EntityUid> {
        let Some(id) = &request.connection.source.spiffe_id else { return HashSet::new() };
        let mut above: HashSet<EntityUid> = self
            .spiffe_prefixes
            .among(id.as_str(), AUTHORITY)
            .map(|prefix| named(&words.spiffe_prefix, prefix))
            .collect();
        above.insert(named(&words.trust_domain, id.trust_domain().as_str()));
        let mut groups = HashSet::new();
        for member in above.iter().chain([uid]) {
            groups.extend(self.given.ancestors(member).into_iter().flatten().cloned());
        }
        above.extend(groups);
        above
    }

    /// What a decision can look into.
    pub(super) fn entities(
        &self,
        words: &Words,
        principal: &EntityUid,
        action: Entity,
        resource: EntityUid,
        request: &AccessRequest,
    ) -> Result<Entities, Failure> {
        let above = self.above_principal(words, principal, request);
        let mut entities = vec![
            self.principal(words, principal, above, request)?,
            action,
            Entity::new_no_attrs(resource, self.above_resource(words, request)),
        ];
        if let Some(id) = &request.connection.source.spiffe_id {
            let trust_domain = named(&words.trust_domain, id.trust_domain().as_str());
            entities.extend(self.given.get(&trust_domain).cloned());
        }
        Ok(self.reachable.clone().upsert_entities(entities, None)?)
    }

    /// Everything that is described, and the request's own with all their ancestors, known or not.
    pub(super) fn whole(
        &self,
        words: &Words,
        principal: &EntityUid,
        tagged: Vec<Entity>,
        request: &AccessRequest,
    ) -> Result<Entities, Failure> {
        let mut above = HashSet::new();
        if let Some(id) = &request.connection.source.spiffe_id {
            let ids = prefixes(id.as_str(), AUTHORITY, usize::MAX);
            above.extend(ids.map(|prefix| named(&words.spiffe_prefix, prefix)));
            above.insert(named(&words.trust_domain, id.trust_domain().as_str()));
            above.extend(self.given.ancestors(principal).into_iter().flatten().cloned());
        }
        let paths = prefixes(request.head.path(), 1, usize::MAX);
        let above_resource = above_resource(words, paths, request);
        let mut entities = tagged;
        entities.push(self.principal(words, principal, above, request)?);
        entities.push(Entity::new_no_attrs(self.resource(words, request), above_resource));
        Ok(self.given.clone().upsert_entities(entities, None)?)
    }

    fn principal(
        &self,
        words: &Words,
        uid: &EntityUid,
        above: HashSet<EntityUid>,
        request: &AccessRequest,
    ) -> Result<Entity, Failure> {
        let Some(id) = &request.connection.source.spiffe_id else {
            return Ok(Entity::with_uid(uid.clone()));
        };
        let trust_domain = named(&words.trust_domain, id.trust_domain().as_str());
        let attributes = [
            ("trust_domain".to_owned(), RestrictedExpression::new_entity_uid(trust_domain)),
            ("path".to_owned(), RestrictedExpression::new_string(id.path().to_owned())),
            ("segments".to_owned(), strings(id.segments())),
        ];
        let given = self.given.get(uid);
        let tags = given.into_iter().flat_map(Entity::tags).filter_map(|(name, value)| {
            // The schema gives workloads no other tags than texts.
            let Ok(EvalResult::String(text)) = value else { return None };
            Some((name.to_owned(), RestrictedExpression::new_string(text)))
        });
        Ok(Entity::new_with_tags(uid.clone(), attributes, above, tags)?)
    }
}

fn above_resource<'a>(
    words: &Words,
    paths: impl Iterator<Item = &'a str>,
    request: &AccessRequest,
) -> HashSet<EntityUid> {
    let service = named(&words.service, &request.connection.destination.service);
    paths.map(|path| named(&words.path, path)).chain([service]).collect()
}

impl Known {
    fn of(uids: impl Iterator<Item = EntityUid>) -> Self {
        let ids: HashSet<String> = uids.map(|uid| uid.id().unescaped().to_owned()).collect();
        let longest = ids.iter().map(String::len).max().unwrap_or_default();
        Self { ids, longest }
    }

    /// Those of a text's prefixes that are known.
    fn among<'a>(&self, text: &'a str, from: usize) -> impl Iterator<Item = &'a str> {
        let prefixes = (!self.ids.is_empty()).then(|| prefixes(text, from, self.longest));
        prefixes.into_iter().flatten().filter(|prefix| self.ids.contains(*prefix))
    }
}

/// The entities that can be reached from these by attributes and tags.
fn reach(given: &Entities, from: &BTreeSet<EntityUid>) -> Result<BTreeSet<EntityUid>, String> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<EntityUid> = from.iter().cloned().collect();
    while let Some(uid) = waiting.pop() {
        let Some(entity) = given.get(&uid) else { continue };
        if uid.type_name().basename() == "Action" || !reached.insert(uid) {
            continue;
        }
        if reached.len() > MAX_REACHABLE {
            return Err(format!("policies look into more than {MAX_REACHABLE} entities"));
        }
        waiting.extend(references(entity));
    }
    Ok(reached)
}

/// The entities that an entity's attributes and tags name.
fn references(entity: &Entity) -> Vec<EntityUid> {
    let mut found = Vec::new();
    let values = entity.attrs().chain(entity.tags()).filter_map(|(_, value)| value.ok());
    values.for_each(|value| collect(value, &mut found));
    found
}

fn collect(value: EvalResult, found: &mut Vec<EntityUid>) {
    match value {
        EvalResult::EntityUid(uid) => found.push(uid),
        EvalResult::Set(set) => set.iter().for_each(|value| collect(value.clone(), found)),
        EvalResult::Record(record) => {
            record.iter().for_each(|(_, value)| collect(value.clone(), found));
        }
        EvalResult::Bool(_)
        | EvalResult::Long(_)
        | EvalResult::String(_)
        | EvalResult::ExtensionValue(_) => {}
    }
}
