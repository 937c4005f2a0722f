//! Cedar, and what both languages share.

use super::*;

#[track_caller]
fn check(input: &str, expected: &str) {
    let formatted = format("a.cedar", input.as_bytes()).map_err(|findings| findings.to_string());
    assert_eq!(formatted.as_deref(), Ok(expected));
    assert_eq!(format("a.cedar", expected.as_bytes()).as_deref(), Ok(expected), "again");
}

#[track_caller]
fn check_refused(input: &[u8], expected: &str) {
    assert_eq!(format("a.cedar", input).unwrap_err().to_string(), expected);
}

#[test]
fn cedar_is_written_with_the_widths_of_its_own_command() {
    check(
        "// one\n@id(\"a\")permit(principal==Workload::\"spiffe://td/web\",action in \
         Action::\"http:read\",resource)when{context.path==\"/a\"&&true // two\n};// three\n",
        "// one\n@id(\"a\")\npermit (\n  principal == Workload::\"spiffe://td/web\",\n  \
         action in Action::\"http:read\",\n  resource\n)\nwhen\n{\n  context.path == \"/a\" &&\n  true // two\n}; // three\n",
    );
    check(
        "permit(principal==?principal,action,resource);",
        "permit (\n  principal == ?principal,\n  action,\n  resource\n);\n",
    );
    check("", "");
    check("// nothing yet\n", "// nothing yet\n");
}

#[test]
fn cedar_that_cannot_be_read_safely_is_refused_at_its_place() {
    let nested = format!("permit(principal,action,resource)when{{{}true}};", "(".repeat(100));
    check_refused(
        nested.as_bytes(),
        "a.cedar:1:102: error: brackets and `if`s nest deeper than 64",
    );
    check_refused(b"permit(\xff", "a.cedar:1:8: error: the file is not UTF-8");
    check_refused(
        "// \u{202e}\n".as_bytes(),
        "a.cedar:1:4: error: the character `\\u{202e}` turns text round: people would read other rules",
    );
    assert!(format("a.cedar", b"permit(principal,").is_err());
}

#[test]
fn the_deepest_text_that_the_scan_passes_is_formatted() {
    let nested = format!(
        "permit(principal,action,resource)when{{{}true{}}};",
        "(".repeat(60),
        ")".repeat(60)
    );
    let on_serving_stack = std::thread::Builder::new().stack_size(8 << 20);
    let formatted = on_serving_stack.spawn(move || format("a.cedar", nested.as_bytes())).unwrap();
    assert!(formatted.join().unwrap().is_ok());
}

#[test]
fn only_policies_have_a_form() {
    assert!(is_formatted("a/b.rego") && is_formatted("b.cedar"));
    assert!(!is_formatted("a.json") && !is_formatted("a.yaml") && !is_formatted("a.cedarschema"));
}
