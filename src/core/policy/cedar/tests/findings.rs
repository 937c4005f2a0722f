use super::*;

#[test]
fn every_finding_has_its_place() {
    check_findings(
        &[
            ("a.cedar", "permit(principal, action, resource)\nwhen { contxt.path == \"/\" };\n"),
            (
                "b.cedar",
                "\npermit(principal, action in Action::\"http\", resource)\nwhen { context.pth == \"/\" };\n",
            ),
            ("all.cedar", "permit(principal, action, resource)\nwhen { context.path == \"/\" };\n"),
            ("c.cedar", "permit(principal == Wrkload::\"spiffe://td/a\", action, resource);"),
            ("d.cedar", "permit(principal, action == Action::\"GTE\", resource);"),
        ],
        expect![[r#"
            a.cedar:2:8: error: invalid member access `contxt.path`, `contxt` has no fields or methods
            all.cedar:2:8: error: attribute `path` in context for Action::"connect" not found
            b.cedar:3:8: error: attribute `pth` in context not found
            c.cedar:1:1: warning: unable to find an applicable action given the policy scope constraints
            c.cedar:1:21: error: unrecognized entity type `Wrkload`
            d.cedar:1:1: warning: policy is impossible: the policy expression evaluates to false for all valid requests
            d.cedar:1:1: warning: unable to find an applicable action given the policy scope constraints
            d.cedar:1:29: error: unrecognized action `Action::"GTE"`"#]],
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
        expect![[r#"
            b.cedar:2:1: error: the id `x` is taken by a.cedar:1
            b.cedar:4:1: error: a policy's id has 1 to 256 bytes and no control characters"#]],
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
        expect![[r#"
            a.cedar:1:21: error: `Workload::"spiffe://Td/a"` never matches: the trust domain may hold only a-z, 0-9, `.`, `-` and `_` (SPIFFE-ID §2.1)
            a.cedar:2:21: error: `SpiffePrefix::"spiffe://td/"` never matches: the path has an empty segment or ends in `/` (SPIFFE-ID §2.2)
            a.cedar:3:21: error: `TrustDomain::"spiffe://td"` never matches: the trust domain may hold only a-z, 0-9, `.`, `-` and `_` (SPIFFE-ID §2.1)
            a.cedar:4:39: error: `Path::"orders"` never matches: the request target is not a path
            a.cedar:5:39: error: `Path::"/a/../b"` never matches: the path has a dot segment
            a.cedar:6:57: error: `Anonymous::"any"` never matches: a caller without identity is `Anonymous::"anonymous"`
            a.cedar:7:1: warning: no link fills the template `t`: it decides nothing
            a.cedar:7:62: error: `Path::"a//b"` never matches: the path has a byte that must not stand in a path"#]],
    );
}

#[test]
fn a_bundle_cannot_change_our_schema() {
    let policy = ("a.cedar", "permit(principal, action, resource);");
    check_findings(
        &[policy, ("x.cedarschema", "entity Team;\nentity Workload = { admin: Bool };")],
        expect![
            "x.cedarschema:2:8: error: `Workload` is declared by portreeve.cedarschema already"
        ],
    );
    check_findings(
        &[
            policy,
            (
                "x.cedarschema",
                "entity Team;\naction \"PURGE\" appliesTo { principal: [Workload], resource: [Route] };",
            ),
        ],
        expect![
            "x.cedarschema:2:9: error: action `PURGE` never happens: the actions are the request's methods"
        ],
    );
    check_findings(
        &[policy, ("x.cedarschema", "entity Team in [Tam];")],
        expect!["x.cedarschema:1:17: error: failed to resolve type: Tam"],
    );
    check_findings(
        &[policy, ("x.cedarschema", "external entity Team;")],
        expect!["error: a schema declares something `external` and nothing defines it"],
    );
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
    check_findings(
        &[policy, ("entities.json", entities)],
        expect![[r#"
        entities.json:2:3: error: the parents of `Workload::"spiffe://td/a"` may only be groups
        entities.json:3:3: error: attribute `path` of `Workload::"spiffe://td/b"` does not follow from its id
        entities.json:4:3: error: `Workload::"spiffe://TD/c"` never matches: the trust domain may hold only a-z, 0-9, `.`, `-` and `_` (SPIFFE-ID §2.1)
        entities.json:5:3: error: `Route::"orders"` is made from the request and cannot be described
        entities.json:6:3: error: attribute `size` on `Group::"g"` should not exist according to the schema
        entities.json:7:3: error: entity `Grup::"g"` has type `Grup` which is not declared in the schema
        entities.json:8:3: error: an entity needs a `uid` with `type` and `id`"#]],
    );
    check_findings(
        &[policy, ("entities.json", "{}")],
        expect!["entities.json:1:1: error: the file is not a JSON array"],
    );
    check_findings(
        &[policy, ("x/entities.json", "[\n  1,,\n]")],
        expect!["x/entities.json:2:5: error: expected value"],
    );
    let cycle = r#"[{"uid": {"type": "Group", "id": "a"}, "attrs": {}, "parents": [{"type": "Group", "id": "b"}]},
        {"uid": {"type": "Group", "id": "b"}, "attrs": {}, "parents": [{"type": "Group", "id": "a"}]}]"#;
    let seen = load(&[policy, ("entities.json", cycle)]).unwrap_err().to_string();
    assert!(seen.contains("or stand in a circle"), "{seen}");
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
    check_findings(
        &[("a.cedar", policies), ("templates.json", links)],
        expect![[r#"
        templates.json:2:3: error: unable to link template: the following slots were not provided as arguments: ?principal
        templates.json:3:3: error: unable to link template: failed to find a template with id `u`
        templates.json:4:3: error: the id `s` is taken by a.cedar:2
        templates.json:5:3: error: `Group` is not of the form `Type::"id"`
        templates.json:6:3: error: there is no slot `?princpal`
        templates.json:7: error: unrecognized entity type `Grup`
        templates.json:8:3: error: `Workload::"web"` never matches: the scheme must be `spiffe` in lower case (SPIFFE-ID §2)
        templates.json:9:3: error: unknown field `template`, expected one of `template_id`, `link_id`, `args`"#]],
    );
}

#[test]
fn a_bundle_without_policies_is_refused() {
    check_findings(&[], expect!["error: the bundle holds no policy"]);
    check_findings(
        &[("a.cedar", "// nothing yet\n")],
        expect!["error: the bundle holds no policy"],
    );
    check_findings(&[("a_test.rego", "package a")], expect!["error: the bundle holds no policy"]);
}

#[test]
fn deep_nesting_is_a_finding_and_not_the_end_of_the_process() {
    let deep = format!(
        "permit(principal, action, resource) when {{\n{}true{} }};",
        "(".repeat(10_000),
        ")".repeat(10_000)
    );
    check_findings(
        &[("a.cedar", &deep)],
        expect!["a.cedar:2:64: error: brackets and `if`s nest deeper than 64"],
    );
    let records = format!("entity X = {}Long{};", "{a: ".repeat(5_000), "}".repeat(5_000));
    let policy = ("a.cedar", "permit(principal, action, resource);");
    check_findings(
        &[policy, ("a.cedarschema", &records)],
        expect!["a.cedarschema:1:268: error: brackets and `if`s nest deeper than 64"],
    );
}

#[test]
fn what_the_scan_lets_through_fits_a_serving_threads_stack() {
    let deep = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(62), close.repeat(62))
    };
    let sum = format!("{}1 == 1", "1 + ".repeat(49));
    let either = format!("{}{sum}", "context.path == \"/\" || ".repeat(99));
    let conditions = [
        deep("(", &either, ")"),
        deep("!(", &either, ")"),
        deep("[", "1", "]"),
        deep("if true then true else ", &either, ""),
        format!("{}true && {sum}", "true && ".repeat(99)),
        format!("context{} == 1", ".path".repeat(50)),
    ];
    for condition in conditions {
        let text = format!(
            "permit(principal, action in Action::\"http\", resource) when {{ {condition} }};"
        );
        // As deep as the stack of the threads that load and decide.
        let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(move || {
            let Ok((bundle, _)) = load(&[("a.cedar", &text)]) else { return };
            let seen = decided(&bundle, &json!({"path": "/"}));
            // Cedar's own guard speaks up in an unoptimised build, whose frames are ten times as large.
            let is_guarded = seen.contains("recursion limit reached");
            assert!(!seen.starts_with("error") || is_guarded, "{seen}");
        });
        thread.unwrap().join().unwrap();
    }
}
