//! However large a policy, its data or a request is, the tree stays small and says what it leaves out.

use serde_json::json;

use super::*;

const MANIFEST: &str = r#"{"metadata": {"portreeve": {"entrypoint": "p"}}}"#;

fn tree(policy: &str, data: &str, detail: Detail) -> Explanation {
    let module = format!("package p\n{policy}");
    let bundle = bundle(&[(".manifest", MANIFEST), ("p.rego", &module), ("data.json", data)]);
    explained(&bundle, json!({"source": null, "path": "/a/b"}), detail)
}

#[test]
fn a_long_value_is_cut() {
    let long = "x".repeat(5_000);
    let seen = tree("allow if data.l == 1", &format!(r#"{{"l": ["{long}"]}}"#), Detail::Full);
    let value = &seen.nodes[0].children[0].children[0].values[0].value;
    assert!(value.chars().count() < 200 && value.ends_with('…'), "{value}");
}

#[test]
fn a_large_collection_shows_three_elements_and_counts_the_others() {
    let data = serde_json::json!({ "l": (0..500).collect::<Vec<_>>() }).to_string();
    let seen = tree("allow if { some x in data.l; x > 900 }", &data, Detail::Full);
    let children = &seen.nodes[0].children[0].children;
    let kinds: Vec<NodeKind> = children.iter().map(|child| child.kind).collect();
    let element = NodeKind::Element;
    assert_eq!(kinds, [NodeKind::Statement, element, element, element, NodeKind::Summary]);
    assert_eq!(children[4].text, "497 more elements did not hold");
}

#[test]
fn what_is_evaluated_for_too_long_is_said_not_to_be_watched_whole() {
    let data = serde_json::json!({ "l": (0..40).collect::<Vec<_>>() }).to_string();
    let policy = "allow if { some x in data.l; some y in data.l; x + y == 5000 }\n\
                  allow if input.request.path == \"/a/b\"";
    let seen = tree(policy, &data, Detail::Brief);
    let allow = &seen.nodes[0];
    assert_eq!(allow.value.as_deref(), Some("true"));
    assert!(allow.note.as_ref().unwrap().contains("longer than could be watched"), "{allow:?}");
    assert!(allow.children.iter().all(|child| child.result != Truth::Undefined), "{allow:?}");
}

#[test]
fn a_tree_is_no_larger_than_its_limits() {
    let definitions = "allow if input.request.path == \"/x\"\n".repeat(500);
    let seen = tree(&definitions, "{}", Detail::Brief);
    assert!(seen.nodes.iter().map(Node::count).sum::<usize>() < 10);
    assert!(seen.notes.is_empty());
    let mut node = Node::new(NodeKind::Rule, "a".to_owned(), Truth::True);
    for _ in 0..100 {
        let mut over = Node::new(NodeKind::Rule, "a".to_owned(), Truth::True);
        over.children = vec![node];
        node = over;
    }
    let explanation = Explanation { nodes: vec![node], ..seen }.bounded(Detail::Full);
    assert!(explanation.nodes[0].count() < 30);
    assert!(explanation.notes[0].ends_with("of 101 nodes are left out"), "{:?}", explanation.notes);
}
