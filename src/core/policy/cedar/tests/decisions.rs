use cedar_policy::{Authorizer, Context, Decision};

use super::*;

const ALL: &str = "permit(principal, action, resource);";

#[test]
fn forbid_beats_permit_and_nothing_allows_by_itself() {
    check(ALL, json!({}), "allow allowed p.cedar#1:p.cedar:1");
    let both = "@id(\"all\")\npermit(principal, action, resource);\n\n@id(\"no\") @note(\"x\")\n\
                forbid(principal, action, resource);";
    check(both, json!({}), "deny forbidden no:p.cedar:4");
    let other = "permit(principal, action == Action::\"POST\", resource);";
    check(other, json!({}), "deny not_allowed");
    check(other, json!({"method": "POST"}), "allow allowed p.cedar#1:p.cedar:1");
    check(
        "permit(principal, action in Action::\"http\", resource) when { false };",
        json!({}),
        "deny not_allowed",
    );
}

#[test]
fn an_error_in_any_evaluated_policy_is_an_error() {
    let failing = "when { context.segment_count + 9223372036854775807 > 0 };";
    let overflow = "while attempting to add the values `2` and `9223372036854775807`";
    for effect in ["permit", "forbid"] {
        let policies = format!(
            "{ALL}\n@id(\"bad\") {effect}(principal, action in Action::\"http\", resource) {failing}"
        );
        let expected = format!("error policy_error bad:p.cedar:2 (integer overflow {overflow})");
        check_error(&policies, &expected);
    }
    // A policy whose scope names another action is not evaluated.
    let policies =
        format!("{ALL} forbid(principal, action == Action::\"PUT\", resource) {failing}");
    check(&policies, json!({}), "allow allowed p.cedar#1:p.cedar:1");
}

#[track_caller]
fn check_error(policies: &str, expected: &str) {
    let (bundle, _) = load(&[("p.cedar", policies)]).unwrap();
    let request = json!({"source": "spiffe://td/a", "path": "/orders/17"});
    let seen = decided(&bundle, &request);
    assert!(seen.starts_with("error policy_error bad:p.cedar:2 ("), "{seen}, not {expected}");
}

#[test]
fn a_method_without_action_is_other() {
    let other = "permit(principal, action == Action::\"OTHER\", resource);";
    check(other, json!({"method": "PURGE"}), "allow allowed p.cedar#1:p.cedar:1");
    check(other, json!({"method": "BREW"}), "allow allowed p.cedar#1:p.cedar:1");
    check(other, json!({}), "deny not_allowed");
    let write = "permit(principal, action in Action::\"http:write\", resource);";
    check(write, json!({"method": "PURGE"}), "deny not_allowed");
    let http = "permit(principal, action in [Action::\"http\"], resource);";
    check(http, json!({"method": "PURGE"}), "allow allowed p.cedar#1:p.cedar:1");
}

#[test]
fn prefixes_match_whole_segments_only() {
    let allow = "allow allowed p.cedar#1:p.cedar:1";
    for (prefix, expected) in [
        ("spiffe://td", allow),
        ("spiffe://td/ns", allow),
        ("spiffe://td/ns/a/sa/web", allow),
        ("spiffe://td/ns/a/sa/we", "deny not_allowed"),
        ("spiffe://td2", "deny not_allowed"),
        ("spiffe://td/ns/a/sa/web/x", "deny not_allowed"),
    ] {
        let policy = format!("permit(principal in SpiffePrefix::\"{prefix}\", action, resource);");
        check(&policy, json!({}), expected);
    }
    for (path, expected) in [
        ("/", allow),
        ("/orders", allow),
        ("/orders/17", allow),
        ("/order", "deny not_allowed"),
        ("/orders/1", "deny not_allowed"),
        ("/orders/17/", "deny not_allowed"),
    ] {
        let policy = format!("permit(principal, action, resource in Path::\"{path}\");");
        check(&policy, json!({}), expected);
    }
    let service = "permit(principal, action, resource in Service::\"orders\");";
    check(service, json!({}), allow);
    check(service, json!({"service": "other"}), "deny not_allowed");
}

#[test]
fn headers_and_query_are_sets_by_name() {
    let allow = "allow allowed p.cedar#1:p.cedar:1";
    let header = "permit(principal, action in Action::\"http\", resource) when { context.headers.hasTag(\"x-a\") && \
                  context.headers.getTag(\"x-a\") == [\"1\"] };";
    check(header, json!({"headers": {"x-a": "1"}}), allow);
    check(header, json!({"headers": {"x-a": ["1", "2"]}}), "deny not_allowed");
    check(header, json!({}), "deny not_allowed");
    let query = "permit(principal, action in Action::\"http\", resource) when { context.query.hasTag(\"q\") && \
                 context.query.getTag(\"q\").contains(context.host) };";
    check(query, json!({"query": {"q": ["x", "localhost"]}}), allow);
    check(query, json!({"query": {"q": "x"}}), "deny not_allowed");
}

#[test]
fn claims_of_a_token_are_sets_of_texts_by_name() {
    let of = |claims: Value| json!({"jwt": {"claims": claims}});
    let policy = |claim: &str, value: &str| {
        format!(
            "permit(principal, action in Action::\"http\", resource) when {{ context has jwt && \
             context.jwt.claims.hasTag(\"{claim}\") && \
             context.jwt.claims.getTag(\"{claim}\") == [{value}] }};"
        )
    };
    let allow = "allow allowed p.cedar#1:p.cedar:1";
    let groups = policy("groups", r#""a", "7", "true""#);
    check(&groups, of(json!({"groups": ["a", 7, true, null, {"b": 1}]})), allow);
    check(&groups, of(json!({"groups": ["a"]})), "deny not_allowed");
    check(&groups, of(json!({})), "deny not_allowed");
    check(&groups, json!({}), "deny not_allowed");
    check(&policy("plan", r#""gold""#), of(json!({"plan": "gold"})), allow);
    check(&policy("n", r#""1.5""#), of(json!({"n": 1.5})), allow);
    for nothing in [json!(null), json!({"gold": "gold"}), json!([])] {
        check(&policy("plan", r#""gold""#), of(json!({"plan": nothing})), "deny not_allowed");
        let has = "permit(principal, action in Action::\"http\", resource) when { context has jwt && \
                   context.jwt.claims.hasTag(\"plan\") };";
        check(has, of(json!({"plan": nothing})), "deny not_allowed");
    }
}

#[test]
fn a_caller_without_identity_is_anonymous() {
    let anonymous = "permit(principal is Anonymous, action, resource);";
    check(anonymous, json!({"source": null}), "allow allowed p.cedar#1:p.cedar:1");
    check(anonymous, json!({}), "deny not_allowed");
    let workloads = "permit(principal is Workload, action, resource);";
    check(workloads, json!({"source": null}), "deny not_allowed");
}

#[test]
fn the_connection_and_the_time_can_be_read() {
    let allow = "allow allowed p.cedar#1:p.cedar:1";
    let network = "permit(principal, action in Action::\"http\", resource) when { \
                   context.source_ip.isInRange(ip(\"10.0.0.0/8\")) };";
    check(network, json!({"source_ip": "::ffff:10.1.2.3"}), allow);
    check(network, json!({"source_ip": "11.1.2.3"}), "deny not_allowed");
    let until = "permit(principal, action in Action::\"http\", resource) when { \
                 context.now < datetime(\"2026-11-21T10:00:00Z\") };";
    check(until, json!({"time": "2026-11-21T09:59:59.999Z"}), allow);
    check(until, json!({"time": "2026-11-21T10:00:00Z"}), "deny not_allowed");
    let tls = "permit(principal, action in Action::\"http\", resource) when { context has tls.sni && \
               context.tls.sni == \"a\" && context.tls.version == \"TLSv1.3\" };";
    check(tls, json!({"tls": {"sni": "a"}}), allow);
    check(tls, json!({"tls": null}), "deny not_allowed");
}

#[test]
fn groups_come_from_the_entities() {
    let policy = ("p.cedar", "permit(principal in Group::\"top\", action, resource);");
    let entities = r#"[
        {"uid": {"type": "Group", "id": "top"}, "attrs": {}, "parents": []},
        {"uid": {"type": "Group", "id": "sub"}, "attrs": {}, "parents": [{"type": "Group", "id": "top"}]},
        {"uid": {"type": "TYPE", "id": "ID"}, "parents": [{"type": "Group", "id": "sub"}], "attrs": {}}
    ]"#;
    for (kind, id, expected) in [
        ("Workload", "spiffe://td/ns/a/sa/web", "allow allowed p.cedar#1:p.cedar:1"),
        ("Workload", "spiffe://td/ns/a/sa/other", "deny not_allowed"),
        ("SpiffePrefix", "spiffe://td/ns", "allow allowed p.cedar#1:p.cedar:1"),
        ("SpiffePrefix", "spiffe://td/n", "deny not_allowed"),
        ("TrustDomain", "td", "allow allowed p.cedar#1:p.cedar:1"),
        ("TrustDomain", "other", "deny not_allowed"),
    ] {
        let entities = entities.replace("TYPE", kind).replace("ID", id);
        check_with(&[policy, ("entities.json", &entities)], json!({}), expected);
    }
}

#[test]
fn a_bundle_adds_types_and_data_of_its_own() {
    let schema = "entity Roster = { on_call: Set<Workload>, lead: Group, area: Path };";
    let entities = r#"[
        {"uid": {"type": "Group", "id": "g"}, "parents": [{"type": "Group", "id": "h"}], "attrs": {},
         "tags": {"site": "x"}},
        {"uid": {"type": "TrustDomain", "id": "td"}, "parents": [{"type": "Group", "id": "g"}], "attrs": {}},
        {"uid": {"type": "Roster", "id": "r"}, "parents": [], "attrs": {
            "on_call": [{"__entity": {"type": "Workload", "id": "spiffe://td/ns/a/sa/web"}}],
            "lead": {"__entity": {"type": "Group", "id": "g"}},
            "area": {"__entity": {"type": "Path", "id": "/orders"}}}}
    ]"#;
    let allow = "allow allowed p.cedar#1:p.cedar:1";
    for (condition, expected) in [
        ("Roster::\"r\".on_call.contains(principal)", allow),
        ("Roster::\"r\".lead.getTag(\"site\") == \"x\"", allow),
        ("Roster::\"r\".lead in Group::\"h\"", allow),
        ("Group::\"g\" in Group::\"h\"", allow),
        ("Group::\"h\" in Group::\"g\"", "deny not_allowed"),
        ("principal.trust_domain in Group::\"g\"", allow),
        ("principal.trust_domain in Group::\"other\"", "deny not_allowed"),
        ("resource in Roster::\"r\".area", allow),
    ] {
        let guard = match condition.contains("getTag") {
            true => "Roster::\"r\".lead.hasTag(\"site\") && ",
            false => "",
        };
        let policy = format!(
            "permit(principal is Workload, action, resource) when {{ {guard}{condition} }};"
        );
        let texts =
            [("p.cedar", policy.as_str()), ("a.cedarschema", schema), ("entities.json", entities)];
        check_with(&texts, json!({}), expected);
    }
}

#[test]
fn tags_of_a_workload_come_from_the_entities() {
    let policy = "permit(principal is Workload, action, resource) when { \
                  principal.hasTag(\"team\") && principal.getTag(\"team\") == \"shop\" };";
    let entities = r#"[{"uid": {"type": "Workload", "id": "spiffe://td/ns/a/sa/web"},
        "tags": {"team": "shop"}, "attrs": {}, "parents": []}]"#;
    let texts = [("p.cedar", policy), ("entities.json", entities)];
    check_with(&texts, json!({}), "allow allowed p.cedar#1:p.cedar:1");
    let other = json!({"source": "spiffe://td/ns/a/sa/batch"});
    check_with(&texts, other, "deny not_allowed");
}

#[test]
fn a_linked_template_decides_under_its_own_id() {
    let policies = "@id(\"reader\")\npermit(principal in ?principal, action, resource);";
    let links = "[\n  {\"template_id\": \"reader\", \"link_id\": \"web-reads\",\n   \
                 \"args\": {\"?principal\": \"SpiffePrefix::\\\"spiffe://td/ns/a\\\"\"}}\n]";
    let texts = [("p.cedar", policies), ("templates.json", links)];
    check_with(&texts, json!({}), "allow allowed web-reads:templates.json:2");
    check_with(&texts, json!({"source": "spiffe://td/ns/b"}), "deny not_allowed");
}

#[test]
fn one_connection_can_meet_two_bundles() {
    let (first, _) = load(&[("p.cedar", ALL)]).unwrap();
    let in_group = "permit(principal in Group::\"g\", action, resource);";
    let entities = r#"[{"uid": {"type": "SpiffePrefix", "id": "spiffe://td"}, "attrs": {},
        "parents": [{"type": "Group", "id": "g"}]}]"#;
    let (second, _) = load(&[("p.cedar", in_group), ("entities.json", entities)]).unwrap();
    let request = AccessRequest::described(&json!({"source": "spiffe://td/a", "path": "/"}));
    let request = request.unwrap();
    for bundle in [&first, &second, &first, &second] {
        assert_eq!(decide(bundle, &request).outcome.as_str(), "allow");
    }
}

#[test]
fn the_example_decides_as_its_comments_say() {
    let (bundle, findings) = load(&EXAMPLE).unwrap();
    assert_eq!(findings.to_string(), "");
    let rows = [
        ("web", "GET /orders/17"),
        ("web", "POST /orders"),
        ("web", "POST /orders tenant"),
        ("web", "POST /orders/17/payment tenant"),
        ("web", "DELETE /orders/17"),
        ("web", "GET /reports/daily"),
        ("payments", "GET /orders/17"),
        ("payments", "POST /orders/17/payment"),
        ("payments", "POST /orders/17/payment tenant"),
        ("payments", "POST /orders/17/lines/payment tenant"),
        ("payments", "POST /orders tenant"),
        ("batch", "GET /reports/daily"),
        ("batch", "PUT /reports/daily"),
        ("batch", "GET /orders/17"),
        ("admin", "DELETE /orders/17"),
        ("admin", "DELETE /reports/daily"),
        ("", "GET /healthz"),
        ("", "GET /orders/17"),
        ("../../quarantine/sa/web", "GET /healthz"),
        ("web", "GET /admin"),
    ];
    let mut matrix = String::new();
    for (who, what) in rows {
        let mut words = what.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let route = match path.split('/').nth(1) {
            Some("orders") => "orders",
            Some("reports") => "reports",
            Some("healthz") => "health",
            _ => "default",
        };
        let source = match who.strip_prefix("../../") {
            _ if who.is_empty() => Value::Null,
            Some(rest) => json!(format!("spiffe://demo.test/ns/{rest}")),
            None => json!(format!("spiffe://demo.test/ns/shop/sa/{who}")),
        };
        let headers = if words.next().is_some() { json!({"x-tenant": "a"}) } else { json!({}) };
        let request = json!({
            "source": source, "method": method, "path": path, "headers": headers,
            "service": "orders", "route": route,
        });
        matrix.push_str(&format!("{who} {what}: {}\n", decided(&bundle, &request)));
    }
    expect![[r#"
        web GET /orders/17: allow allowed web-reads-orders:orders.cedar:3
        web POST /orders: deny forbidden post-needs-tenant:orders.cedar:70
        web POST /orders tenant: allow allowed web-creates-orders:orders.cedar:10
        web POST /orders/17/payment tenant: deny not_allowed
        web DELETE /orders/17: deny forbidden only-admins-delete:orders.cedar:55
        web GET /reports/daily: deny not_allowed
        payments GET /orders/17: allow allowed payments-reads-orders:orders.cedar:18
        payments POST /orders/17/payment: deny forbidden post-needs-tenant:orders.cedar:70
        payments POST /orders/17/payment tenant: allow allowed payments-pays-orders:orders.cedar:26
        payments POST /orders/17/lines/payment tenant: deny not_allowed
        payments POST /orders tenant: deny not_allowed
        batch GET /reports/daily: allow allowed batch-reads-reports:orders.cedar:34
        batch PUT /reports/daily: deny not_allowed
        batch GET /orders/17: deny not_allowed
        admin DELETE /orders/17: allow allowed admins-delete-orders:orders.cedar:48
        admin DELETE /reports/daily: deny not_allowed
         GET /healthz: allow allowed everyone-asks-for-health:orders.cedar:41
         GET /orders/17: deny not_allowed
        ../../quarantine/sa/web GET /healthz: deny forbidden quarantined:orders.cedar:63
        web GET /admin: deny not_allowed
    "#]]
    .assert_eq(&matrix);
}

/// The tests beside the example, as Cedar's own `run-tests` would run them.
#[test]
fn the_examples_tests_hold_against_its_schema() {
    let (bundle, _) = load(&EXAMPLE).unwrap();
    let (policies, schema) = bundle.cedar_policy_set().unwrap();
    let tests = include_str!("../../../../../policies/cedar/orders.cedar-tests.json");
    let tests: Vec<Value> = serde_json::from_str(tests).unwrap();
    assert!(tests.len() > 20);
    for test in &tests {
        let name = &test["name"];
        let part = |key: &str| test["request"][key].as_str().unwrap().parse().unwrap();
        let action = part("action");
        let context = test["request"]["context"].clone();
        let context = Context::from_json_value(context, Some((schema, &action))).unwrap();
        let request =
            Request::new(part("principal"), action, part("resource"), context, Some(schema));
        let entities = Entities::from_json_value(test["entities"].clone(), Some(schema)).unwrap();
        let response = Authorizer::new().is_authorized(&request.unwrap(), policies, &entities);
        let is_allowed = response.decision() == Decision::Allow;
        assert_eq!(is_allowed, test["decision"] == "allow", "{name}");
        let seen: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        assert_eq!(json!(seen), test["reason"], "{name}");
        assert_eq!(response.diagnostics().errors().count(), 0, "{name}");
    }
}
