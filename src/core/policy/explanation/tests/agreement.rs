//! An explanation says what the decision says, for shipped policies and for each way to write one.

use serde_json::json;

use super::*;
use crate::policy::Outcome;

const MANIFEST: &str = r#"{"metadata": {"portreeve": {"entrypoint": "p"}}}"#;

/// A decision and its explanation, the tree's own outcome included.
#[track_caller]
fn check(bundle: &Bundle, description: &Value) -> Outcome {
    let request = request(description.clone());
    let decision = decide(bundle, &request);
    let explanation = explain(bundle, &request, &decision, Detail::Full);
    let context = format!("{description}\n{}", lines(&explanation));
    assert_eq!(explanation.outcome, decision.outcome.as_str(), "{context}");
    assert!(!context.contains("could not be watched"), "{context}");
    let mut decided = Vec::new();
    explanation.nodes.iter().for_each(|node| deciding(node, &mut decided));
    let mut policies: Vec<(String, u32)> =
        decision.policies.iter().map(|policy| (policy.file.to_string(), policy.line)).collect();
    policies.sort();
    policies.dedup();
    decided.sort();
    decided.dedup();
    assert_eq!(decided, policies, "{context}");
    let root = |name: &str| {
        explanation.nodes.iter().find(|n| n.kind == NodeKind::Rule && n.text.ends_with(name))
    };
    if let Some(allow) = root(".allow").filter(|allow| allow.value != Some("***".to_owned())) {
        let forbids = root(".deny").is_some_and(|deny| deny.result == Truth::True);
        let is_error = explanation.nodes.iter().any(|node| node.result == Truth::Error);
        let allows = allow.result == Truth::True
            && allow.value.as_ref().is_some_and(|v| !v.contains("\"allowed\": false"));
        let outcome = if is_error {
            Outcome::Error
        } else if !forbids && allows {
            Outcome::Allow
        } else {
            Outcome::Deny
        };
        assert_eq!(outcome, decision.outcome, "{context}");
    }
    decision.outcome
}

/// The places of what decided. Of what gave an allow or a forbid, everything shown held.
fn deciding(node: &Node, found: &mut Vec<(String, u32)>) {
    if node.decided && node.kind != NodeKind::Rule {
        let place = node.place.as_ref().unwrap();
        found.push((place.file.clone(), place.line));
        let failed = |child: &&Node| {
            matches!(child.kind, NodeKind::Statement | NodeKind::Clause)
                && !matches!(child.result, Truth::True | Truth::Error)
        };
        assert!(
            node.result != Truth::True
                || node.text.starts_with("allow :=")
                || !node.children.iter().any(|child| failed(&child)),
            "{node:?}"
        );
    }
    node.children.iter().for_each(|child| deciding(child, found));
}

/// Numbers that repeat.
struct Dice(u64);

impl Dice {
    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        of[usize::try_from(self.0 >> 33).unwrap() % of.len()].clone()
    }

    fn description(&mut self) -> Value {
        let td = "spiffe://demo.test/ns/shop/sa/";
        let name = self.one_of(&["web", "payments", "batch", "admin", "old", ""]);
        let source = if name.is_empty() { json!(null) } else { json!(format!("{td}{name}")) };
        let headers = self.one_of(&[
            json!({}),
            json!({"x-tenant": "blue"}),
            json!({"authorization": "Basic YW5uOnBlYXJs", "x-tenant": ["a", "b"]}),
        ]);
        json!({
            "source": source,
            "method": self.one_of(&["GET", "POST", "DELETE", "HEAD", "PUT"]),
            "path": self.one_of(&["/orders", "/orders/17", "/orders/17/payment", "/health",
                "/people/ann", "/people/ann?tenant=a", "/reports/daily", "/"]),
            "route": self.one_of(&["orders", "reports", "health", "x"]),
            "service": "orders",
            "headers": headers,
            "body": self.one_of(&[json!(null), json!({"n": 3}), json!({"n": "3"}), json!({"n": [1, 2]})]),
        })
    }
}

#[track_caller]
fn agrees(bundle: &Bundle, times: usize) -> [usize; 3] {
    let mut dice = Dice(7);
    let mut outcomes = [0; 3];
    for _ in 0..times {
        let outcome = check(bundle, &dice.description());
        outcomes[match outcome {
            Outcome::Allow => 0,
            Outcome::Deny => 1,
            Outcome::Error => 2,
        }] += 1;
    }
    outcomes
}

macro_rules! shipped {
    ($file:literal) => {
        include_str!(concat!("../../../../../policies/", $file))
    };
}

#[test]
fn the_shipped_rego_policies() {
    let manifest = r#"{"metadata": {"portreeve": {"entrypoint": "authz.orders"}}}"#;
    let bundle = bundle(&[
        (".manifest", manifest),
        ("authz/orders.rego", shipped!("rego/authz/orders.rego")),
        ("shop/data.json", shipped!("rego/shop/data.json")),
    ]);
    let [allow, deny, _] = agrees(&bundle, 60);
    assert!(allow > 3 && deny > 3, "{allow} {deny}");
}

#[test]
fn the_shipped_policies_for_envoy() {
    let manifest = r#"{"metadata": {"portreeve": {"entrypoint": "envoy/authz/allow"}}}"#;
    let bundle = bundle(&[
        (".manifest", manifest),
        ("envoy/authz.rego", shipped!("rego-envoy/envoy/authz.rego")),
        ("roles/data.json", shipped!("rego-envoy/roles/data.json")),
    ]);
    let [allow, deny, _] = agrees(&bundle, 60);
    assert!(allow + deny > 50, "{allow} {deny}");
}

#[test]
fn the_shipped_cedar_policies() {
    let bundle = bundle(&[
        ("orders.cedar", shipped!("cedar/orders.cedar")),
        ("entities.json", shipped!("cedar/entities.json")),
    ]);
    let [allow, deny, _] = agrees(&bundle, 60);
    assert!(allow > 3 && deny > 3, "{allow} {deny}");
}

#[test]
fn each_way_to_write_a_rule() {
    let data = r#"{"roles": {"web": {"permissions": [{"method": "GET", "prefix": "/orders"}]}},
        "names": {"spiffe://demo.test/ns/shop/sa/web": ["web"]}, "l": [3, 1, 2]}"#;
    for policy in [
        "default allow := false\nallow if { some r in data.names[input.source.spiffe_id]\n some p in data.roles[r].permissions\n p.method == input.request.method; startswith(input.request.path, p.prefix) }",
        "prefixes := {p | some r in data.names[input.source.spiffe_id]; some g in data.roles[r].permissions; p := g.prefix}\nallow if { some p in prefixes; startswith(input.request.path, p) }",
        "allow if { data.l[i] == input.request.body.n; i >= 0 }",
        "allow if { input.request.body.n + 1 < 5 }\nallow if not f(input.request.method)\nf(m) if m in {\"GET\", \"HEAD\"}\nf(m) if m == \"PUT\"",
        "deny contains sprintf(\"no %v\", [input.request.method]) if input.request.method == \"PUT\"\nallow := true",
        "deny contains msg if { some s in input.request.segments; count(s) < 3; msg := concat(\"\", [\"short \", s]) }\nallow if input.request.method = \"GET\"",
        "allow if { x = input.request.method; x == \"GET\"; [\"orders\", y] = input.request.segments; y == \"17\" }",
        "allow if every s in input.request.segments { some t in [\"orders\", \"17\"]\n s == t }",
        "allow if count([s | some s in input.request.segments; g(s)]) > 1\ng(s) if startswith(s, \"o\")\ng(s) if endswith(s, \"7\")",
        "allow if { walk(input.request.segments, [_, v]); v == \"17\" }",
        "allow if { split(input.request.path, \"/\", parts); parts[1] == \"orders\" }",
        "allow := {\"allowed\": true, \"http_status\": 200} if input.request.route == \"orders\" else := {\"allowed\": false, \"http_status\": 404} if input.request.method == \"GET\" else := {\"allowed\": false}",
        "limits[m] := n if { some m, n in {\"GET\": 3, \"POST\": 1} }\nallow if limits[input.request.method] > 2",
        "allow if g with input.request.method as \"GET\"\ng if input.request.method == \"GET\"",
        "allow if { not input.request.headers[\"x-tenant\"]; not startswith(input.request.path, \"/people\") }",
        "allow if { b := input.request.body.n; a := input.request.route; a == \"orders\"; b < 4 }",
        "import rego.v1\nallow if { $\"{input.request.method} {input.request.path}\" == \"GET /orders\" }",
        "allow if (input.request.method == \"GET\") == true\nallow if { x := {\"a\": input.request.method}; x.a == \"PUT\" }",
        "allow if { to_number(input.request.body.n) > 2 }\ndeny if { startswith(input.request.body.n, \"x\") }",
    ] {
        let module = format!("package p\n{policy}\n");
        let bundle = bundle(&[(".manifest", MANIFEST), ("p.rego", &module), ("data.json", data)]);
        agrees(&bundle, 12);
    }
}

#[test]
fn a_policy_whose_entry_definitions_are_parsed_apart() {
    let mut module = "package p\nis_get if input.request.method == \"GET\"\n".to_owned();
    for number in 0..100 {
        module += &format!("allow if {{\n  input.request.path == \"/{number}\"\n  is_get\n}}\n");
    }
    let bundle = bundle(&[(".manifest", MANIFEST), ("p.rego", &module)]);
    for (path, expected) in [("/7", Outcome::Allow), ("/x", Outcome::Deny)] {
        assert_eq!(check(&bundle, &json!({"source": null, "path": path})), expected);
    }
    let seen = explained(&bundle, json!({"source": null, "path": "/7"}), Detail::Brief);
    let allow = &seen.nodes[0].children;
    assert_eq!(allow.len(), 2, "{}", lines(&seen));
    assert_eq!(allow[0].place.as_ref().unwrap().line, 3 + 7 * 4);
    assert_eq!(
        allow[1].text,
        "99 definitions of data.p.allow did not hold at their first statement"
    );
}

#[test]
fn both_languages_are_explained() {
    let policy = "permit (principal, action, resource);";
    let bundle = bundle(&[
        (".manifest", MANIFEST),
        ("a.cedar", policy),
        ("p.rego", "package p\nallow if input.request.method == \"GET\""),
    ]);
    let [allow, deny, error] = agrees(&bundle, 12);
    assert!(allow > 0 && deny > 0 && error == 0);
    let description = json!({"source": null, "path": "/"});
    let nodes = explained(&bundle, description, Detail::Brief).nodes;
    let kinds: Vec<NodeKind> = nodes.iter().map(|node| node.kind).collect();
    assert_eq!(kinds, [NodeKind::Policy, NodeKind::Rule]);
}
