//! Which entities a decision needs: the principal, the action and the resource with all their
//! ancestors, cached, since they repeat and cost more than the decision itself.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, Hash, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cedar_policy::{Entities, Entity, EntityUid, EvalResult, RestrictedExpression};

use super::facts::strings;
use super::words::{Words, named, prefixes};
use crate::request::AccessRequest;

/// Where the trust domain's name begins in a SPIFFE ID.
const AUTHORITY: usize = "spiffe://".len();
/// Sets of entities that a thread keeps, each about 3 KiB: enough for the callers of one service, and
/// a caller beyond them costs a rebuild.
const CACHED: usize = 512;
/// Entities with data that policies look into: they stand beside every principal.
const MAX_REACHABLE: usize = 1_000;

static NEXT_BUNDLE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::new(Cache::default());
}

/// What a bundle says about ancestors.
#[derive(Debug)]
pub(super) struct Hierarchy {
    /// Tells this bundle's entries in the cache from another's.
    bundle: u64,
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

/// The three ids of a request and the entities around them.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) resource: EntityUid,
    pub(super) entities: Entities,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    bundle: u64,
    action: &'static str,
    principal: EntityUid,
    service: Arc<str>,
    route: Arc<str>,
    /// The ancestors of this request's path.
    paths: Vec<String>,
}

/// One entry a slot, the newest: bounded, and no walk to make room.
#[derive(Default)]
struct Cache {
    hasher: RandomState,
    slots: Vec<Option<(Key, Rc<Slice>)>>,
}

impl Hierarchy {
    /// `named` are all entity literals of the policies and their links; `deep` those of policies that
    /// look into entities other than the request's own.
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
            bundle: NEXT_BUNDLE.fetch_add(1, Ordering::Relaxed),
            spiffe_prefixes: Known::of(all().filter(|u| *u.type_name() == words.spiffe_prefix)),
            paths: Known::of(all().filter(|uid| *uid.type_name() == words.path)),
            reachable,
            given,
        })
    }

    /// The entities of a request, from this thread's cache where they are there.
    pub(super) fn slice(
        &self,
        words: &Words,
        action: (&'static str, &Entity),
        principal: &EntityUid,
        request: &AccessRequest,
    ) -> Result<Rc<Slice>, Box<dyn std::error::Error>> {
        let path = request.head.path();
        let key = Key {
            bundle: self.bundle,
            action: action.0,
            principal: principal.clone(),
            service: Arc::clone(&request.connection.destination.service),
            route: Arc::clone(&request.route),
            paths: self.paths.among(path, 1).map(str::to_owned).collect(),
        };
        if let Some(slice) = CACHE.with_borrow_mut(|cache| cache.get(&key)) {
            return Ok(slice);
        }
        let resource = named(&words.route, &request.route);
        let above = key.paths.iter().map(|path| named(&words.path, path));
        let above = above.chain([named(&words.service, &key.service)]).collect();
        let mut entities = vec![
            self.principal(words, principal, request)?,
            action.1.clone(),
            Entity::new_no_attrs(resource.clone(), above),
        ];
        if let Some(id) = &request.connection.source.spiffe_id {
            let trust_domain = named(&words.trust_domain, id.trust_domain().as_str());
            entities.extend(self.given.get(&trust_domain).cloned());
        }
        let entities = self.reachable.clone().upsert_entities(entities, None)?;
        let slice = Rc::new(Slice { resource, entities });
        CACHE.with_borrow_mut(|cache| cache.put(key, Rc::clone(&slice)));
        Ok(slice)
    }

    fn principal(
        &self,
        words: &Words,
        uid: &EntityUid,
        request: &AccessRequest,
    ) -> Result<Entity, Box<dyn std::error::Error>> {
        let Some(id) = &request.connection.source.spiffe_id else {
            return Ok(Entity::with_uid(uid.clone()));
        };
        let trust_domain = named(&words.trust_domain, id.trust_domain().as_str());
        let mut parents: HashSet<EntityUid> = self
            .spiffe_prefixes
            .among(id.as_str(), AUTHORITY)
            .map(|prefix| named(&words.spiffe_prefix, prefix))
            .collect();
        parents.insert(trust_domain.clone());
        let mut groups = HashSet::new();
        for member in parents.iter().chain([uid]) {
            groups.extend(self.given.ancestors(member).into_iter().flatten().cloned());
        }
        parents.extend(groups);
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
        Ok(Entity::new_with_tags(uid.clone(), attributes, parents, tags)?)
    }
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

impl Cache {
    fn get(&mut self, key: &Key) -> Option<Rc<Slice>> {
        let slot = self.slots.get(self.slot(key))?.as_ref()?;
        (slot.0 == *key).then(|| Rc::clone(&slot.1))
    }

    fn put(&mut self, key: Key, slice: Rc<Slice>) {
        if self.slots.is_empty() {
            self.slots.resize_with(CACHED, || None);
        }
        let at = self.slot(&key);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some((key, slice));
        }
    }

    fn slot(&self, key: &Key) -> usize {
        usize::try_from(self.hasher.hash_one(key) % CACHED as u64).unwrap_or_default()
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
