use portreeve_core::policy::PolicyRef;
use portreeve_core::policy::compare::Samples;
use serde_json::Map;

use super::*;

/// Peers `p…` and requests `r…`; every third decision is an allow, the last an error.
fn decided(peers: usize, requests: usize) -> Decided {
    let sample = |name: String| Sample { name, facts: Map::new() };
    let samples = Samples {
        peers: (0..peers).map(|n| sample(format!("p{n}|\u{1b}"))).collect(),
        requests: (0..requests).map(|n| sample(format!("=r{n}"))).collect(),
    };
    let cell = |n: usize| {
        let (outcome, error) = match n {
            n if n + 1 == peers * requests => (Outcome::Error, Some(0)),
            n if n % 3 == 0 => (Outcome::Allow, None),
            _ => (Outcome::Deny, None),
        };
        Cell { outcome, reason: "because".to_owned(), policies: vec![0], error }
    };
    let policy = PolicyRef { id: "p,1".into(), file: "a.cedar".into(), line: 3 };
    let cells = (0..peers * requests).map(cell).collect();
    let matrix = Matrix { cells, policies: vec![policy], errors: vec!["it broke".to_owned()] };
    Decided { root: "policies".to_owned(), samples, matrix, note: Some("cut".to_owned()) }
}

fn printed(write: impl Fn(&mut Vec<u8>, &[Decided]) -> io::Result<()>, decided: Decided) -> String {
    let mut out = Vec::new();
    write(&mut out, &[decided]).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_has_a_legend_rows_of_peers_and_words() {
    let expected = "1  =r0\n2  =r1\n\n              1      2\np0|\\u{1b}  allow  deny\n";
    let text = printed(pretty, decided(2, 2));
    let expected =
        expected.replace("              1", &format!("{:9}  1  ", "")).replace("      2", "    2");
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.contains("\np1|\\u{1b}  deny   ERROR\n"), "{text}");
    assert!(text.contains("ERROR p1|\\u{1b}, =r1: because it broke\n"), "{text}");
    assert!(
        text.ends_with("\n2 peers × 2 requests: 1 allow, 2 deny, 1 error\nnote: cut\n"),
        "{text}"
    );
}

#[test]
fn a_wide_table_is_cut_into_tables_that_fit() {
    let text = printed(pretty, decided(3, 40));
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    let heads: Vec<&str> = text
        .lines()
        .filter(|line| line.trim_start().starts_with(['1', '2']) && line.starts_with("   "))
        .collect();
    assert!(heads.len() >= 2, "{text}");
    assert_eq!(text.matches("\np2|").count(), 4, "{text}");
}

#[test]
fn a_long_name_loses_its_middle() {
    assert_eq!(cut("abcdefghij", 10), "abcdefghij");
    assert_eq!(cut("abcdefghijk", 10), "abcde…hijk");
}

#[test]
fn csv_is_a_line_for_each_decision_and_no_formula() {
    let text = printed(csv, decided(1, 2));
    let mut lines = text.lines().skip(1);
    let first = "policies,p0|\\u{1b},,\"'=r0\",GET,,,allow,because,\"p,1\"";
    assert_eq!(lines.next(), Some(first));
    assert_eq!(lines.count(), 1);
}

#[test]
fn markdown_keeps_foreign_text_in_its_cell() {
    let text = printed(markdown, decided(1, 2));
    assert!(text.contains("\n| p0\\|\\\\u{1b} | allow | ERROR |\n"), "{text}");
}

#[test]
fn json_names_who_decided() {
    let document: Value = serde_json::from_str(&printed(json, decided(2, 2))).unwrap();
    let decisions = document["bundles"][0]["decisions"].as_array().unwrap();
    assert_eq!(decisions.len(), 4);
    assert_eq!(decisions[3]["error"], "it broke");
    assert_eq!(decisions[0]["policies"][0]["line"], 3);
}
