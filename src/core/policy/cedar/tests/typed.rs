//! What is built without the schema is what the schema asks for.

use std::rc::Rc;

use cedar_policy::{Entities, Entity, EntityUid};

use super::*;
use crate::policy::cedar::words::ACTIONS;

/// Reads every attribute, so that all of them are built.
const READS_ALL: &str = "permit(principal, action in Action::\"http\", resource) when { context == context } ;
forbid(principal in SpiffePrefix::\"spiffe://td/ns\", action in Action::\"http\", resource in Path::\"/orders\")
when { context.headers.hasTag(context.path) || context.query.hasTag(context.path) };";

#[track_caller]
fn check_typed(policies: &Policies, description: &Value) {
    let request = AccessRequest::described(description).unwrap();
    let (slice, prepared) = prepared(policies, &request);
    assert!(slice.candidates.needs_entities);
    let context = prepared.request.context().unwrap();
    context.validate(&policies.schema, prepared.request.action().unwrap()).unwrap();
    let part = |uid: Option<&EntityUid>| uid.unwrap().clone();
    Request::new(
        part(prepared.request.principal()),
        part(prepared.request.action()),
        part(prepared.request.resource()),
        context.clone(),
        Some(&policies.schema),
    )
    .unwrap();
    let built = prepared.own_entities.unwrap();
    // The schema brings the actions itself, and compares ours with them.
    let entities: Vec<Entity> = built.iter().cloned().collect();
    Entities::from_entities(entities, Some(&policies.schema)).unwrap();
}

#[test]
fn every_built_request_conforms_to_the_schema() {
    let mut files = Files::default();
    files.insert("p.cedar", READS_ALL.as_bytes().to_vec()).unwrap();
    let entities = br#"[{"uid": {"type": "SpiffePrefix", "id": "spiffe://td/ns"}, "attrs": {},
        "parents": [{"type": "Group", "id": "g"}]}]"#;
    files.insert("entities.json", entities.to_vec()).unwrap();
    let mut findings = Findings::default();
    let policies = Policies::load(&files, &mut findings);
    let policies = policies.unwrap_or_else(|| panic!("{findings}"));
    let certificate = json!({"serial": "0a", "sha256": "ff", "issuer": "CN=a",
        "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z"});
    for method in ACTIONS.into_iter().chain(["PURGE"]) {
        for source in [json!(null), json!("spiffe://td/a"), json!("spiffe://td/ns/b/sa/c")] {
            for path in ["/", "/orders/17", "/a/?q=1&q=2&r"] {
                check_typed(
                    &policies,
                    &json!({
                        "method": method, "source": source, "path": path, "source_ip": "::1",
                        "headers": {"x-a": ["1", "2", "1"]}, "time": "2026-11-21T10:00:00Z",
                    }),
                );
            }
        }
    }
    check_typed(
        &policies,
        &json!({
            "source": "spiffe://td/a", "path": "/", "tls": {"alpn": "h2", "sni": "a"},
            "certificate": certificate,
        }),
    );
}

#[test]
fn only_what_is_read_is_built() {
    let mut files = Files::default();
    let text =
        "permit(principal, action in Action::\"http\", resource) when { context.path == \"/\" };";
    files.insert("p.cedar", text.as_bytes().to_vec()).unwrap();
    let policies = Policies::load(&files, &mut Findings::default()).unwrap();
    let request = AccessRequest::described(&json!({"path": "/", "headers": {"a": "b"}})).unwrap();
    let (slice, prepared) = prepared(&policies, &request);
    let context = prepared.request.context().unwrap().to_json_value().unwrap();
    assert_eq!(context, json!({"path": "/"}));
    assert!(prepared.own_entities.is_none());
    assert!(!slice.candidates.needs_entities);
    // The same slice serves the next request.
    assert!(Rc::ptr_eq(&slice, &super::prepared(&policies, &request).0));
}
