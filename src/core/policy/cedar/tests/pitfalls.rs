//! What loads and yet is not what its author meant: each finding and its clean twin.

use super::*;

const GOOD: (&str, &str) = ("a.cedar", "permit(principal, action, resource);");

/// A policy with a condition that is evaluated for HTTP requests.
fn when(condition: &str) -> String {
    format!(
        "@id(\"a\")\nforbid(principal, action in Action::\"http\", resource)\nwhen {{ {condition} }};"
    )
}

/// That there is a hint with each finding, and the findings themselves.
#[track_caller]
fn check_hinted(texts: &[(&str, &str)], expected: Expect) {
    let (_, findings) = load(texts).unwrap();
    assert!(findings.0.iter().all(|finding| finding.hint.is_some()), "{:?}", findings.0);
    expected.assert_eq(&findings.to_string());
}

#[test]
fn texts_that_look_like_others_are_named() {
    let groups = |name: &str| {
        format!(
            "forbid(principal, action, resource in Service::\"orders\")\n\
             unless {{ principal in Group::\"admins\" }};\n\
             permit(principal in Group::\"{name}\", action, resource);"
        )
    };
    check_hinted(&[("a.cedar", &groups("admins"))], expect![[""]]);
    // A Cyrillic letter, a space without width, and a name in one script that is not Latin.
    check_hinted(
        &[("a.cedar", &groups("\u{430}dmins"))],
        expect![[
            r#"a.cedar:3:28: warning: `аdmins` looks like `admins` of a.cedar:2 and is another text: it holds `\u{430}`"#
        ]],
    );
    check_hinted(
        &[("a.cedar", &groups("ad\u{200b}mins"))],
        expect![[
            r#"a.cedar:3:28: warning: `ad\u{200b}mins` looks like `admins` of a.cedar:2 and is another text: it holds `\u{200b}`"#
        ]],
    );
    check_hinted(&[("a.cedar", &groups("\u{430}\u{434}\u{43c}\u{438}\u{43d}"))], expect![[""]]);
    // The escape shows what it is.
    check_hinted(&[("a.cedar", &groups("\\u{430}dmins"))], expect![[""]]);
}

#[test]
fn texts_are_compared_with_those_of_the_data() {
    let policy = "permit(principal in Group::\"cop\", action, resource);";
    let entities = |name: &str| {
        format!(
            "[{{\"uid\": {{\"type\": \"Group\", \"id\": \"{name}\"}}, \"attrs\": {{}}, \"parents\": []}}]"
        )
    };
    let lookalike = entities("\u{441}\u{43e}\u{440}");
    check_hinted(
        &[("a.cedar", policy), ("entities.json", &lookalike)],
        expect![[
            r#"entities.json:1:34: warning: `сор` looks like `cop` of a.cedar:1 and is another text: it holds `\u{441}`"#
        ]],
    );
    check_hinted(&[("a.cedar", policy), ("entities.json", &entities("cop"))], expect![[""]]);
    check_hinted(&[("a.cedar", policy), ("entities.json", &entities("caf\u{e9}"))], expect![[""]]);
}

#[test]
fn texts_that_are_not_ids_may_be_prose() {
    let policy = |note: &str, text: &str| {
        format!("@note(\"{note}\")\n{}", when(&format!("context.path == \"{text}\"")))
    };
    check_hinted(&[("a.cedar", &policy("a \u{2013} b\u{200b}", "/caf\u{e9}"))], expect![[""]]);
    check_hinted(
        &[("a.cedar", &policy("a", "/a\u{200b}"))],
        expect![[
            r#"a.cedar:4:24: warning: `/a\u{200b}` holds `\u{200b}`, which people do not see or expect"#
        ]],
    );
    check_hinted(
        &[("a.cedar", &policy("a", "/p\u{430}y"))],
        expect![[r#"a.cedar:4:24: warning: `/pаy` mixes scripts: it holds `\u{430}`"#]],
    );
    check_findings(
        &[("a.cedar", &policy("\u{202e}", "/a"))],
        expect![[
            r#"a.cedar:1:8: error: the character `\u{202e}` turns text round: people would read other rules"#
        ]],
    );
}

#[test]
fn a_mistyped_id_is_named() {
    let policy = |annotations: &str| format!("{annotations} permit(principal, action, resource);");
    for good in ["", "@id(\"x\")", "@note(\"x\") @owner(\"y\")", "@id(\"x\") @ID(\"y\")"] {
        check_hinted(&[("a.cedar", &policy(good))], expect![[""]]);
    }
    check_hinted(
        &[("a.cedar", &policy("@note(\"@ID\")\n@Id(\"x\")"))],
        expect!["a.cedar:2:1: warning: the annotation `@Id` is not read"],
    );
    check_hinted(
        &[("a.cedar", &policy("@policy_id(\"x\")"))],
        expect!["a.cedar:1:1: warning: the annotation `@policy_id` is not read"],
    );
    let two = format!("{}\n{}", policy("@ID(\"x\")"), policy("@id(\"x\")"));
    check_hinted(
        &[("a.cedar", &two)],
        expect!["a.cedar:1:1: warning: the annotation `@ID` is not read"],
    );
}

#[test]
fn arithmetic_that_can_overflow_is_named() {
    for good in [
        "context.segment_count > 3",
        "context.segment_count + 1 > 3",
        "-context.segment_count * 2 - 7 < 3",
        "1 + 2 * 3 == 7",
        "(if context.host == \"a\" then 1 else 2) * 1000 > 4",
        "context.path like \"/a+b\"",
    ] {
        check_hinted(&[("a.cedar", &when(good))], expect![[""]]);
    }
    let schema = ("x.cedarschema", "entity Limit = { most: Long };");
    let entities = (
        "entities.json",
        r#"[{"uid": {"type": "Limit", "id": "a"}, "attrs": {"most": 7}, "parents": []}]"#,
    );
    for (bad, expected) in [
        ("context.host == \"+\" && context.segment_count + 9223372036854775807 > 0", "3:53 +"),
        ("Limit::\"a\".most + 1 > 3", "3:24 +"),
        ("{\"+\": Limit::\"a\".most * 2}[\"+\"] > 3", "3:30 *"),
        ("[1 - Limit::\"a\".most].contains(3)", "3:11 -"),
        ("-Limit::\"a\".most < 3", "3:8 -"),
        ("9223372036854775807 + 1 == 0", "3:28 +"),
    ] {
        let policy = when(bad);
        let (_, findings) = load(&[("a.cedar", &policy), schema, entities]).unwrap();
        let [finding] = &findings.0[..] else { panic!("{bad}: {findings}") };
        let operator = finding.message.split('`').nth(1).unwrap();
        assert_eq!(format!("{}:{} {operator}", finding.line, finding.column), expected, "{bad}");
        assert!(finding.hint.as_ref().unwrap().contains("denies"));
    }
}

#[test]
fn an_overflow_in_a_forbid_beside_an_allowing_permit_is_an_error_of_the_decision() {
    let schema = ("x.cedarschema", "entity Limit = { most: Long };");
    let entities = |most: i64| {
        format!(
            r#"[{{"uid": {{"type": "Limit", "id": "a"}}, "attrs": {{"most": {most}}}, "parents": []}}]"#
        )
    };
    let forbid = when("context.segment_count + Limit::\"a\".most > 7");
    let policies = format!("{forbid}\npermit(principal, action, resource);");
    for (most, expected) in [
        (1, "allow allowed p.cedar#2:p.cedar:4"),
        (6, "deny forbidden a:p.cedar:1"),
        (
            i64::MAX,
            "error policy_error a:p.cedar:1 (integer overflow while attempting to add the values \
             `2` and `9223372036854775807`)",
        ),
    ] {
        check_with(
            &[("p.cedar", &policies), schema, ("entities.json", &entities(most))],
            json!({}),
            expected,
        );
    }
}

#[test]
fn an_entity_is_described_once() {
    let group = |id: &str| {
        format!(
            "{{\"uid\": {{\"type\": \"Group\", \"id\": \"{id}\"}}, \"attrs\": {{}}, \"parents\": []}}"
        )
    };
    let list = |ids: &[&str]| {
        let groups: Vec<_> = ids.iter().map(|id| group(id)).collect();
        format!("[\n{}\n]", groups.join(",\n"))
    };
    let (twice, once) = (list(&["a", "b", "a"]), list(&["a", "b"]));
    check_findings(
        &[GOOD, ("entities.json", &once)],
        expect![[r#"
        loaded
    "#]],
    );
    check_findings(
        &[GOOD, ("entities.json", &twice)],
        expect![[
            r#"entities.json:4:1: error: `Group::"a"` is described by entities.json:2 already"#
        ]],
    );
    let other = list(&["c", "b"]);
    check_findings(
        &[GOOD, ("entities.json", &once), ("x/entities.json", &other)],
        expect![[
            r#"x/entities.json:3:1: error: `Group::"b"` is described by entities.json:3 already"#
        ]],
    );
}

#[test]
fn a_template_needs_a_link() {
    let policies = "permit(principal, action, resource);\n\
                    @id(\"t\") forbid(principal in ?principal, action, resource);";
    let links = "[{\"template_id\": \"t\", \"link_id\": \"l\", \"args\": {\"?principal\": \"Group::\\\"a\\\"\"}}]";
    check_hinted(&[("a.cedar", policies), ("templates.json", links)], expect![[""]]);
    check_hinted(
        &[("a.cedar", policies)],
        expect!["a.cedar:2:1: warning: no link fills the template `t`: it decides nothing"],
    );
}

#[test]
fn conditions_that_never_hold_are_named() {
    check_hinted(&[("a.cedar", &when("context.path == \"/\""))], expect![[""]]);
    check_hinted(
        &[("a.cedar", &when("false"))],
        expect![
            "a.cedar:1:1: warning: policy is impossible: the policy expression evaluates to false for all valid requests"
        ],
    );
    check_hinted(
        &[("a.cedar", &when("principal is Workload && principal is Anonymous"))],
        expect![
            "a.cedar:1:1: warning: policy is impossible: the policy expression evaluates to false for all valid requests"
        ],
    );
}

/// However deep a policy looks, what `entities.json` describes is at hand.
#[test]
fn what_is_looked_up_over_three_levels_is_supplied() {
    let schema = "entity Team = { lead: Person };\nentity Person = { office: Office, team?: Team };\n\
                  entity Office in [Group] = { floor: Floor } tags String;\nentity Floor = { number: Long };";
    let entities = r#"[
        {"uid": {"type": "Team", "id": "t"}, "parents": [], "attrs": {"lead": {"__entity": {"type": "Person", "id": "p"}}}},
        {"uid": {"type": "Person", "id": "p"}, "parents": [], "attrs": {"office": {"__entity": {"type": "Office", "id": "o"}}}},
        {"uid": {"type": "Office", "id": "o"}, "parents": [{"type": "Group", "id": "inner"}],
         "attrs": {"floor": {"__entity": {"type": "Floor", "id": "f"}}}, "tags": {"zone": "north"}},
        {"uid": {"type": "Floor", "id": "f"}, "parents": [], "attrs": {"number": 4}},
        {"uid": {"type": "Group", "id": "inner"}, "parents": [{"type": "Group", "id": "middle"}], "attrs": {}},
        {"uid": {"type": "Group", "id": "middle"}, "parents": [{"type": "Group", "id": "outer"}], "attrs": {}, "tags": {"a": "b"}},
        {"uid": {"type": "TrustDomain", "id": "td"}, "parents": [{"type": "Group", "id": "inner"}], "attrs": {}}
    ]"#;
    let allow = "allow allowed p.cedar#1:p.cedar:1";
    for (condition, expected) in [
        ("Team::\"t\".lead.office.floor.number == 4", allow),
        ("Team::\"t\".lead.office.floor.number == 5", "deny not_allowed"),
        ("Team::\"t\".lead.office in Group::\"outer\"", allow),
        ("Team::\"t\".lead.office in Group::\"other\"", "deny not_allowed"),
        ("Team::\"t\".lead.office.hasTag(\"zone\")", allow),
        ("Team::\"t\".lead has team", "deny not_allowed"),
        ("Group::\"middle\".hasTag(\"a\") && Group::\"middle\".getTag(\"a\") == \"b\"", allow),
        ("principal in Group::\"outer\"", allow),
        ("principal is Workload && principal.trust_domain in Group::\"outer\"", allow),
        ("principal is Workload && principal.trust_domain in Group::\"other\"", "deny not_allowed"),
    ] {
        let policy = format!("permit(principal, action, resource) when {{ {condition} }};");
        let texts =
            [("p.cedar", policy.as_str()), ("a.cedarschema", schema), ("entities.json", entities)];
        check_with(&texts, json!({}), expected);
    }
}

/// A policy that looks into the caller or the resource would fail, and so deny, if they were missing.
#[test]
fn principal_and_resource_are_always_supplied() {
    let policies = "permit(principal, action, resource);";
    let (bundle, _) = load(&[("p.cedar", policies)]).unwrap();
    let mut files = Files::default();
    files.insert("p.cedar", policies.as_bytes().to_vec()).unwrap();
    let policies = Policies::load(&files, &mut Findings::default()).unwrap();
    for source in [Value::Null, json!("spiffe://td/a"), json!("spiffe://other/ns/b/sa/c")] {
        for method in ["GET", "DELETE", "PURGE"] {
            let description = json!({"source": source, "method": method, "path": "/a/b"});
            let request = AccessRequest::described(&description).unwrap();
            let (slice, prepared) = prepared(&policies, &request);
            let connection = &request.connection;
            let caller = connection.engine_values.cedar.caller(&policies.words, connection);
            let action = policies.actions.of_method(&request.head.method);
            let entities = policies.entities(&slice, action, caller, &request).unwrap();
            for uid in [
                prepared.request.principal(),
                prepared.request.action(),
                prepared.request.resource(),
            ] {
                let uid = uid.unwrap();
                assert!(entities.get(uid).is_some(), "{uid} of {description}");
            }
            assert_eq!(decided(&bundle, &description), "allow allowed p.cedar#1:p.cedar:1");
        }
    }
    let looking = "forbid(principal, action in Action::\"http\", resource) when { \
                   principal is Workload && principal.path == \"/x\" || \
                   principal is Workload && principal.hasTag(\"a\") };\n\
                   permit(principal, action, resource);";
    let allow = "allow allowed p.cedar#2:p.cedar:2";
    check(looking, json!({"source": null}), allow);
    check(looking, json!({}), allow);
    check(looking, json!({"source": "spiffe://td/x"}), "deny forbidden p.cedar#1:p.cedar:1");
}
