//! `entities.json`: groups, their members and the data of a bundle's own entity types.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{Entities, Entity, EntityUid, Schema};
use serde_json::{Value, json};

use super::Findings;
use super::ids::check_id;
use super::json::array;
use super::place::{error_at, line_and_column, sentence};
use super::source::Source;
use super::words::Words;
use crate::spiffe::SpiffeId;

/// Checking this many takes about a third of a second.
const MAX_ENTITIES: usize = 10_000;

/// Parents above parents: the engine descends as deep. People nest groups three or four deep.
const MAX_DEPTH: usize = 64;

/// What a bundle may not describe: it is made from each request.
const OF_THE_REQUEST: [&str; 8] =
    ["Anonymous", "Service", "Path", "Route", "Headers", "Query", "Claims", "Action"];

/// Reads all entities of a bundle and checks them against the schema, each alone and then together.
pub(super) fn load(
    sources: &[Source<'_>],
    words: &Words,
    schema: &Schema,
    findings: &mut Findings,
) -> Entities {
    let mut entities: Vec<Entity> = Vec::new();
    let mut offsets = Vec::new();
    let mut described: HashMap<EntityUid, (Source<'_>, usize)> = HashMap::new();
    for source in sources {
        let elements = array(*source, findings);
        if entities.len() + elements.len() > MAX_ENTITIES {
            let message = format!("the bundle has more than {MAX_ENTITIES} entities");
            findings.error(source.file, 0, 0, message);
            return Entities::empty();
        }
        for (offset, value) in elements {
            match entity(value, words, schema) {
                Ok(entity) => {
                    if let Some((other, at)) = described.insert(entity.uid(), (*source, offset)) {
                        let (line, _) = line_and_column(other.text, at);
                        let message = format!(
                            "`{}` is described by {}:{line} already",
                            entity.uid(),
                            other.file
                        );
                        error_at(findings, source.file, source.text, offset, message);
                        continue;
                    }
                    offsets.push((*source, offset));
                    entities.push(entity);
                }
                Err(message) => {
                    error_at(findings, source.file, source.text, offset, message);
                }
            }
        }
    }
    if let Some(deep) = nested_too_deep(&entities) {
        if let Some((source, offset)) = offsets.get(deep) {
            let message = format!(
                "the groups above this entity nest deeper than {MAX_DEPTH}, or stand in a circle"
            );
            error_at(findings, source.file, source.text, *offset, message);
        }
        return Entities::empty();
    }
    match Entities::from_entities(entities, Some(schema)) {
        Ok(entities) => entities,
        Err(error) => {
            let file = sources.first().map_or("", |source| source.file);
            findings.error(file, 0, 0, root(&error));
            Entities::empty()
        }
    }
}

/// The first entity that stands above more levels of others than may be. It goes up level by level:
/// what is still there after the last is too deep, or its own ancestor.
fn nested_too_deep(entities: &[Entity]) -> Option<usize> {
    let places: HashMap<EntityUid, usize> =
        entities.iter().enumerate().map(|(place, entity)| (entity.uid(), place)).collect();
    let above = |entity: &Entity| -> Vec<usize> {
        let (_, _, parents) = entity.clone().into_inner();
        parents.iter().filter_map(|parent| places.get(parent).copied()).collect()
    };
    let above: Vec<Vec<usize>> = entities.iter().map(above).collect();
    let mut level: BTreeSet<usize> = (0..entities.len()).collect();
    for _ in 0..=MAX_DEPTH {
        level = level.iter().filter_map(|place| above.get(*place)).flatten().copied().collect();
    }
    level.first().copied()
}

fn entity(mut value: Value, words: &Words, schema: &Schema) -> Result<Entity, String> {
    let uid = uid_of(&value).ok_or("an entity needs a `uid` with `type` and `id`")?;
    let type_name = uid.type_name().to_string();
    if OF_THE_REQUEST.contains(&type_name.as_str()) {
        return Err(format!("`{uid}` is made from the request and cannot be described"));
    }
    check_id(words, &uid)?;
    if [&words.workload, &words.spiffe_prefix, &words.trust_domain].contains(&uid.type_name()) {
        only_groups_as_parents(&value, &uid)?;
    }
    if *uid.type_name() == words.workload {
        fill_in(&mut value, &uid)?;
    }
    Entity::from_json_value(value, Some(schema)).map_err(|error| root(&error))
}

/// That a workload stands under a prefix or in a trust domain follows from its ID alone: a file that
/// claimed it would forge an identity.
fn only_groups_as_parents(value: &Value, uid: &EntityUid) -> Result<(), String> {
    let parents = value.get("parents").and_then(Value::as_array);
    for parent in parents.into_iter().flatten() {
        let parent_type = reference(parent).and_then(|parent| parent.get("type"));
        if parent_type != Some(&json!("Group")) {
            return Err(format!("the parents of `{uid}` may only be groups"));
        }
    }
    Ok(())
}

/// The attributes of a workload follow from its ID: they may be left out, and may not differ.
fn fill_in(value: &mut Value, uid: &EntityUid) -> Result<(), String> {
    let id = SpiffeId::parse(uid.id().unescaped()).map_err(|error| error.to_string())?;
    let Some(entity) = value.as_object_mut() else { return Ok(()) };
    let trust_domain = json!({ "type": "TrustDomain", "id": id.trust_domain().as_str() });
    let derived = json!({
        "trust_domain": { "__entity": trust_domain },
        "path": id.path(),
        "segments": id.segments().collect::<Vec<_>>(),
    });
    let written = entity.get("attrs").and_then(Value::as_object);
    for (name, value) in written.into_iter().flatten() {
        let derived = derived.get(name);
        let is_same = derived == Some(value) || derived.and_then(reference) == Some(value);
        if !is_same {
            return Err(format!("attribute `{name}` of `{uid}` does not follow from its id"));
        }
    }
    entity.insert("attrs".to_owned(), derived);
    entity.entry("parents").or_insert_with(|| json!([]));
    Ok(())
}

fn uid_of(value: &Value) -> Option<EntityUid> {
    EntityUid::from_json(value.get("uid")?.clone()).ok()
}

/// `{"type", "id"}`, as it is or under `__entity`.
fn reference(value: &Value) -> Option<&Value> {
    value.get("__entity").or(Some(value)).filter(|value| value.is_object())
}

/// Cedar wraps what is wrong in "error during …".
fn root(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => root(cause),
        None => sentence(error),
    }
}
