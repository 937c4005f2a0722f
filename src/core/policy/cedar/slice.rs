//! What depends on who asks for what, and not on the rest of a request: the candidates and the
//! entities. It is cached, since it repeats and costs more than the decision itself.

use std::cell::{OnceCell, RefCell};
use std::hash::{BuildHasher, Hash, RandomState};
use std::rc::Rc;
use std::sync::Arc;

use cedar_policy::{Entities, EntityUid};

use super::Policies;
use super::actions::Action;
use super::facts::Caller;
use super::index::Candidates;
use crate::request::AccessRequest;

/// Slices that a thread keeps, each at most 8 KiB beside data that policies look into: enough for the
/// callers of one service, and a caller beyond them costs a rebuild.
const CACHED: usize = 512;
/// Evaluating more candidates than this costs far more than finding them again: such slices are not
/// kept, so that the cache stays small for every bundle.
const MAX_KEPT_CANDIDATES: usize = 1_000;

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::new(Cache::default());
}

/// The resource, the policies whose scope matches, and the entities around both.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) resource: EntityUid,
    pub(super) candidates: Candidates,
    /// Built when a candidate first looks into one.
    entities: OnceCell<Entities>,
}

/// What a slice follows from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Sought<'a> {
    /// Tells one bundle's slices from another's.
    bundle: u64,
    action: &'static str,
    /// Empty for a caller without identity.
    spiffe_id: &'a str,
    service: &'a str,
    route: &'a str,
    /// The longest part of the path that policies know: which shorter ones they know follows from it.
    path: Option<&'a str>,
}

struct Key {
    bundle: u64,
    action: &'static str,
    spiffe_id: Box<str>,
    service: Arc<str>,
    route: Arc<str>,
    path: Option<Box<str>>,
}

/// One entry a slot, the newest: bounded, and no walk to make room.
#[derive(Default)]
struct Cache {
    hasher: RandomState,
    slots: Vec<Option<(Key, Rc<Slice>)>>,
}

impl Policies {
    /// The slice of a request, from this thread's cache where it is there.
    pub(super) fn slice(
        &self,
        action: &Action,
        caller: &Caller,
        request: &AccessRequest,
    ) -> Rc<Slice> {
        let spiffe_id = &request.connection.source.spiffe_id;
        let sought = Sought {
            bundle: self.number,
            action: action.name,
            spiffe_id: spiffe_id.as_ref().map_or("", |id| id.as_str()),
            service: &request.connection.destination.service,
            route: &request.route,
            path: self.hierarchy.longest_path(request.head.path()),
        };
        if let Some(slice) = CACHE.with_borrow(|cache| cache.get(&sought)) {
            return slice;
        }
        let (words, hierarchy) = (&self.words, &self.hierarchy);
        let resource = hierarchy.resource(words, request);
        let above_principal = hierarchy.above_principal(words, &caller.principal, request);
        let above_resource = hierarchy.above_resource(words, request);
        let asker = self.index.asked(&caller.principal, above_principal.iter());
        let asked = self.index.asked(&resource, above_resource.iter());
        let candidates = self.index.candidates(&asker, &action.asked, &asked);
        let slice = Rc::new(Slice { resource, candidates, entities: OnceCell::new() });
        if slice.candidates.len() <= MAX_KEPT_CANDIDATES {
            let key = Key {
                bundle: sought.bundle,
                action: sought.action,
                spiffe_id: sought.spiffe_id.into(),
                service: Arc::clone(&request.connection.destination.service),
                route: Arc::clone(&request.route),
                path: sought.path.map(Box::from),
            };
            CACHE.with_borrow_mut(|cache| cache.put(key, Rc::clone(&slice)));
        }
        slice
    }

    /// The entities of a slice: the principal, the action and the resource with all their ancestors.
    pub(super) fn entities<'a>(
        &self,
        slice: &'a Slice,
        action: &Action,
        caller: &Caller,
        request: &AccessRequest,
    ) -> Result<&'a Entities, Box<dyn std::error::Error>> {
        if let Some(entities) = slice.entities.get() {
            return Ok(entities);
        }
        let (words, principal) = (&self.words, &caller.principal);
        let (action, resource) = (action.entity.clone(), slice.resource.clone());
        let built = self.hierarchy.entities(words, principal, action, resource, request)?;
        Ok(slice.entities.get_or_init(|| built))
    }
}

impl Key {
    fn sought(&self) -> Sought<'_> {
        Sought {
            bundle: self.bundle,
            action: self.action,
            spiffe_id: &self.spiffe_id,
            service: &self.service,
            route: &self.route,
            path: self.path.as_deref(),
        }
    }
}

impl Cache {
    fn get(&self, sought: &Sought<'_>) -> Option<Rc<Slice>> {
        let slot = self.slots.get(self.slot(sought))?.as_ref()?;
        (slot.0.sought() == *sought).then(|| Rc::clone(&slot.1))
    }

    fn put(&mut self, key: Key, slice: Rc<Slice>) {
        if self.slots.is_empty() {
            self.slots.resize_with(CACHED, || None);
        }
        let at = self.slot(&key.sought());
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some((key, slice));
        }
    }

    fn slot(&self, sought: &Sought<'_>) -> usize {
        usize::try_from(self.hasher.hash_one(sought) % CACHED as u64).unwrap_or_default()
    }
}
