use expect_test::expect;

use super::*;

const DECISION: &str = r#"{"v":1,"seq":42,"id":"01a3185c-5000-7101-8101-010101010101","time":"2027-01-15T08:00:00.012345Z","kind":"decision","source":{"spiffe_id":"spiffe://td/web","trust_domain":"td","address":{"ip":"10.0.0.1","port":4711},"certificate":{"serial":"0a","not_after":"2027-01-15T09:00:00.000000Z"}},"destination":{"spiffe_id":"spiffe://td/orders","service":"orders"},"request":{"direction":"inbound","method":"GET","scheme":"https","host":"orders","path":"/a\u001b[2J\u202eb","query":{"id":["***","***"]},"route":"default","headers":{"accept":["*/*"]}},"decision":{"outcome":"deny","ground":null,"reason":"forbidden","policies":[{"id":"no-web","file":"orders.cedar","line":7}],"errors":[]},"policy":{"repository":"https://git.example/p.git","ref":"main","commit":"4f1c","digest":"sha256:ab","signer":null},"masked":["/request/query"]}"#;
const END: &str = r#"{"kind":"end","of":42,"response":{"status":403,"bytes":51},"request":{"bytes":0},"tries":0,"duration_us":1500,"flags":[]}"#;

#[test]
fn a_denial_names_its_rule_and_shows_nothing_that_moves_the_cursor() {
    let records = [DECISION, END].map(|line| serde_json::from_str(line).unwrap());
    let mut out = Vec::new();
    write_records(&mut out, &records, Format::Pretty).unwrap();
    expect![[r#"
        deny: forbidden
          decision    01a3185c-5000-7101-8101-010101010101 (record 42)
          time        2027-01-15T08:00:00.012345Z
          source      spiffe://td/web from 10.0.0.1:4711
                      proven by an X.509-SVID, serial 0a, valid until 2027-01-15T09:00:00.000000Z
          destination orders (spiffe://td/orders)
          request     GET https://orders/a\u{1b}[2J\u{202e}b?id=***&id=***
          route       default (inbound)
          headers     accept: */*
          decided by  orders.cedar:7  `no-web`
          policy      https://git.example/p.git main at commit 4f1c
                      sha256:ab, no signer
          masked      /request/query
          end         status 403, 0 bytes in, 51 out, tries 0, 1.500 ms
    "#]]
    .assert_eq(&String::from_utf8(out).unwrap());
}

#[test]
fn a_decision_on_an_exchange_in_flight_says_so() {
    for (of, expected) in [("17", "is record 17"), ("null", "is lost")] {
        let again = DECISION.replace("\"seq\":42,", &format!("\"seq\":42,\"of\":{of},"));
        let record = serde_json::from_str(&again).unwrap();
        let mut out = Vec::new();
        write_records(&mut out, &[record], Format::Pretty).unwrap();
        let text = String::from_utf8(out).unwrap();
        let line = text.lines().nth(2).unwrap();
        let expected = format!("decided again while in flight: the first decision {expected}");
        assert_eq!(line.trim_start(), expected);
    }
}

/// The lines after the source's first.
#[track_caller]
fn check_proofs(certificate: &str, masked: &str, expected: &[&str]) {
    let mut record: Value = serde_json::from_str(DECISION).unwrap();
    record["source"]["certificate"] = serde_json::from_str(certificate).unwrap();
    record["masked"] = serde_json::from_str(masked).unwrap();
    let mut out = Vec::new();
    write_records(&mut out, &[record], Format::Pretty).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines = text.lines().skip_while(|line| !line.starts_with("  source")).skip(1);
    let proofs: Vec<_> =
        lines.take_while(|line| line.starts_with("    ")).map(str::trim_start).collect();
    assert_eq!(proofs, expected);
}

#[test]
fn a_decision_says_by_what_its_caller_is_proven() {
    const X509: &str = "proven by an X.509-SVID, serial 0a, valid until T";
    let certificate = r#"{"serial":"0a","not_after":"T"}"#;
    check_proofs(certificate, "[]", &[X509]);
    check_proofs("null", r#"["/source/jwt"]"#, &["proven by a JWT-SVID"]);
    check_proofs(certificate, r#"["/source/jwt"]"#, &["proven by a JWT-SVID", X509]);
    check_proofs("null", "[]", &[]);
}

#[test]
fn a_refused_token_claims_an_id_and_no_more() {
    let record = r#"{"kind":"refused","refused":{"stage":"http","reason":"jwt.expired","source":"10.0.0.0/24","count":1,"first":"T1","last":"T1","claimed":[{"spiffe_id":"spiffe://td/web","serial":null,"sha256":null}],"detail":"it ended"}}"#;
    let mut out = Vec::new();
    write_records(&mut out, &[serde_json::from_str(record).unwrap()], Format::Pretty).unwrap();
    expect![[r#"
        refused before a decision: jwt.expired
          time        T1 to T1
          source      10.0.0.0/24, once at http
          claims      spiffe://td/web
          detail      it ended
    "#]]
    .assert_eq(&String::from_utf8(out).unwrap());
}

#[test]
fn a_refusal_names_who_claimed_to_be_whom_and_by_which_certificate() {
    let record = r#"{"kind":"refused","refused":{"stage":"tls","reason":"svid.expired","source":"10.0.0.0/24","count":2,"first":"T1","last":"T2","claimed":[{"spiffe_id":"spiffe://td/\u001b","serial":"9f01","sha256":"ab12"},{"spiffe_id":null,"serial":null,"sha256":"cd34"}],"detail":"it ended"}}"#;
    let mut out = Vec::new();
    write_records(&mut out, &[serde_json::from_str(record).unwrap()], Format::Pretty).unwrap();
    expect![[r#"
        refused before a decision: svid.expired
          time        T1 to T2
          source      10.0.0.0/24, 2 times at tls
          claims      spiffe://td/\u{1b}, serial 9f01, sha256 ab12
          claims      sha256 cd34
          detail      it ended
    "#]]
    .assert_eq(&String::from_utf8(out).unwrap());
}

const ID: &str = "01a3185c-5000-7101-8101-010101010101";

fn run_with(id: Option<&str>, dir: &Path) -> anyhow::Result<Exit> {
    let id = id.map(str::to_owned);
    run(Args { id, log: LogArgs::of(dir), format: Format::Pretty })
}

#[test]
fn an_id_that_is_not_there_is_no_and_one_that_is_none_could_not_run() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run_with(Some(ID), dir.path()).unwrap(), Exit::No);
    assert_eq!(run_with(None, dir.path()).unwrap(), Exit::No);
    assert!(run_with(Some("x"), dir.path()).is_err());
}

#[test]
fn without_an_id_the_last_decision_that_is_no_allow_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("decisions-20261121T100000Z-00000000000000000001.ndjson");
    let line = |id: &str, outcome: &str| {
        format!("{{\"id\":\"{id}\",\"decision\":{{\"outcome\":\"{outcome}\"}}}}\n")
    };
    let other = ID.replace("01a3", "01a4");
    let allowed = line(&ID.replace("01a3", "01a5"), "allow");
    std::fs::write(&file, allowed.clone()).unwrap();
    assert_eq!(last_not_allowed(dir.path()).unwrap(), Vec::<Value>::new());
    let lines = [line(ID, "deny"), line(&other, "error"), allowed].concat();
    std::fs::write(&file, lines).unwrap();
    let found = last_not_allowed(dir.path()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["id"], other);
}
