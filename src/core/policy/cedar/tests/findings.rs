use super::*;

#[test]
fn every_finding_has_its_place() {
    check_findings(
        &[
            ("a.cedar", "permit(principal, action, resource)\nwhen { contxt.path == \"/\" };\n"),
            ("b.cedar", "\npermit(principal, action, resource)\nwhen { context.pth == \"/\" };\n"),
            ("c.cedar", "permit(principal == Wrkload::\"spiffe://td/a\", action, resource);"),
            ("d.cedar", "permit(principal, action == Action::\"GTE\", resource);"),
        ],
        expect![[""]],
    );
}

#[test]
fn a_policy_that_never_applies_is_a_warning_with_its_line() {
    let findings = load(&[(
        "a.cedar",
        "permit(principal, action, resource);\n\
         forbid(principal, action == Action::\"GET\", resource is Service);",
    )])
    .unwrap()
    .1;
    let finding = &findings.0[0];
    assert_eq!((finding.line, finding.severity), (2, crate::policy::Severity::Warning));
    assert!(finding.source.as_ref().unwrap().starts_with("forbid(principal"));
}

#[test]
fn ids_are_unique_in_the_bundle() {
    check_findings(
        &[
            ("a.cedar", "@id(\"x\") permit(principal, action, resource);"),
            (
                "b.cedar",
                "\n@id(\"x\")\nforbid(principal, action, resource);\n@id(\"\") permit(principal, action, resource);",
            ),
        ],
        expect![[""]],
    );
}

#[test]
fn literals_that_never_match_are_refused() {
    check_findings(
        &[(
            "a.cedar",
            "forbid(principal == Workload::\"spiffe://Td/a\", action, resource);\n\
             forbid(principal in SpiffePrefix::\"spiffe://td/\", action, resource);\n\
             forbid(principal in TrustDomain::\"spiffe://td\", action, resource);\n\
             forbid(principal, action, resource in Path::\"orders\");\n\
             forbid(principal, action, resource in Path::\"/a/../b\");\n\
             forbid(principal, action, resource) when { principal == Anonymous::\"any\" };\n\
             @id(\"t\") forbid(principal in ?principal, action, resource in Path::\"a//b\");",
        )],
        expect![[""]],
    );
}

#[test]
fn a_bundle_cannot_change_our_schema() {
    let policy = ("a.cedar", "permit(principal, action, resource);");
    check_findings(
        &[policy, ("x.cedarschema", "entity Team;\nentity Workload = { admin: Bool };")],
        expect![[""]],
    );
    check_findings(
        &[
            policy,
            (
                "x.cedarschema",
                "entity Team;\naction \"PURGE\" appliesTo { principal: [Workload], resource: [Route] };",
            ),
        ],
        expect![[""]],
    );
    check_findings(&[policy, ("x.cedarschema", "entity Team in [Tam];")], expect![[""]]);
    check_findings(&[policy, ("x.cedarschema", "external entity Team;")], expect![[""]]);
}

#[test]
fn entities_describe_groups_and_nothing_of_the_request() {
    let policy = ("a.cedar", "permit(principal, action, resource);");
    let entities = r#"[
  {"uid": {"type": "Workload", "id": "spiffe://td/a"}, "attrs": {}, "parents": [{"type": "SpiffePrefix", "id": "spiffe://td/b"}]},
  {"uid": {"type": "Workload", "id": "spiffe://td/b"}, "attrs": {"path": "/c"}, "parents": []},
  {"uid": {"type": "Workload", "id": "spiffe://TD/c"}, "attrs": {}, "parents": []},
  {"uid": {"type": "Route", "id": "orders"}, "attrs": {}, "parents": []},
  {"uid": {"type": "Group", "id": "g"}, "attrs": {"size": 1}, "parents": []},
  {"uid": {"type": "Grup", "id": "g"}, "attrs": {}, "parents": []},
  {"id": "g"}
]"#;
    check_findings(&[policy, ("entities.json", entities)], expect![[""]]);
    check_findings(&[policy, ("entities.json", "{}")], expect![[""]]);
    check_findings(&[policy, ("x/entities.json", "[\n  1,,\n]")], expect![[""]]);
    let cycle = r#"[{"uid": {"type": "Group", "id": "a"}, "attrs": {}, "parents": [{"type": "Group", "id": "b"}]},
        {"uid": {"type": "Group", "id": "b"}, "attrs": {}, "parents": [{"type": "Group", "id": "a"}]}]"#;
    check_findings(&[policy, ("entities.json", cycle)], expect![[""]]);
}

#[test]
fn links_name_a_template_and_fill_its_slots() {
    let policies = "@id(\"t\") permit(principal in ?principal, action, resource);\n\
                    @id(\"s\") permit(principal, action == Action::\"PUT\", resource);";
    let links = r#"[
  {"template_id": "t", "link_id": "a", "args": {}},
  {"template_id": "u", "link_id": "b", "args": {"?principal": "Group::\"a\""}},
  {"template_id": "t", "link_id": "s", "args": {"?principal": "Group::\"a\""}},
  {"template_id": "t", "link_id": "c", "args": {"?principal": "Group"}},
  {"template_id": "t", "link_id": "d", "args": {"?princpal": "Group::\"a\""}},
  {"template_id": "t", "link_id": "e", "args": {"?principal": "Grup::\"a\""}},
  {"template_id": "t", "link_id": "f", "args": {"?principal": "Workload::\"web\""}},
  {"template": "t"}
]"#;
    check_findings(&[("a.cedar", policies), ("templates.json", links)], expect![[""]]);
}

#[test]
fn a_bundle_without_policies_is_refused() {
    check_findings(&[], expect![[""]]);
    check_findings(&[("a.cedar", "// nothing yet\n")], expect![[""]]);
    check_findings(&[("a_test.rego", "package a")], expect![[""]]);
}

#[test]
fn deep_nesting_is_a_finding_and_not_the_end_of_the_process() {
    let deep = format!(
        "permit(principal, action, resource) when {{\n{}true{} }};",
        "(".repeat(10_000),
        ")".repeat(10_000)
    );
    check_findings(&[("a.cedar", &deep)], expect![[""]]);
    let records = format!("entity X = {}Long{};", "{a: ".repeat(5_000), "}".repeat(5_000));
    let policy = ("a.cedar", "permit(principal, action, resource);");
    check_findings(&[policy, ("a.cedarschema", &records)], expect![[""]]);
}

#[test]
fn what_the_scan_lets_through_fits_a_serving_threads_stack() {
    let conditions = [
        format!("{}true{}", "(".repeat(63), ")".repeat(63)),
        format!("{}true", "if true then true else ".repeat(63)),
        format!("{}1 == 1", "1 + ".repeat(1_990)),
        format!("{}true", "true && ".repeat(990)),
        format!("{}true", "context.path == \"/\" || ".repeat(300)),
        format!("{}true{}", "!(".repeat(62), ")".repeat(62)),
    ];
    for condition in conditions {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        // As deep as the stack of the threads that load and decide.
        let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(move || {
            let Ok((bundle, _)) = load(&[("a.cedar", &text)]) else { return };
            decided(&bundle, &json!({"path": "/"}));
        });
        thread.unwrap().join().unwrap();
    }
}
