//! The reference policies: any number of rules as people write them, over the words of the input
//! document, with their data and requests to them. Sizes and figures are told by these.

use serde_json::{Value, json};

use super::super::{Files, FilesError};
use super::random::Random;

const HEAD: &str = "package authz\n\nimport rego.v1\n\ndefault allow := false\n\n";
/// What a file of the split form starts with; the default stands in the first alone.
const HEAD_OF_PART: &str = "package authz\n\nimport rego.v1\n\n";
/// Every rule of this many is of another kind in the mixed form.
const KINDS: usize = 25;

const HELPERS: &str = r#"is_read(m) if m in {"GET", "HEAD"}

trusted_network if startswith(input.source.address.ip, "10.")

denied if startswith(input.request.headers["x-tenant"][0], "evil")
denied if input.request.method == "TRACE"
denied if {
    some ip in data.blocked
    input.source.address.ip == ip
}

tier := "gold" if {
    input.source.jwt.claims.plan == "gold"
    startswith(input.source.jwt.claims.sub, "user-")
} else := "silver" if {
    input.source.jwt.claims.plan == "silver"
} else := "none"

deny contains "dotdot" if contains(input.request.path, "..")
deny contains msg if {
    input.request.body.risk > 90
    msg := sprintf("risk %v", [input.request.body.risk])
}
deny contains "tenant" if startswith(input.request.headers["x-tenant"][0], "evil")
deny contains "port" if input.source.address.port == 22
"#;

/// `rules` rules by SPIFFE ID, method and path prefix.
#[must_use]
pub fn plain(rules: usize) -> String {
    let rules: Vec<_> = (0..rules).map(|number| rule(number, 0)).collect();
    format!("{HEAD}{}", rules.join("\n"))
}

/// The same, mixed with the other ways in which people write rules.
#[must_use]
pub fn mixed(rules: usize) -> String {
    format!("{HEAD}{}\n{HELPERS}", mixed_rules(0, rules))
}

/// The mixed policy in files of this many rules, the helpers in one of their own.
///
/// # Errors
/// There are more files than a bundle may hold.
pub fn split(rules: usize, rules_per_file: usize) -> Result<Files, FilesError> {
    let mut files = Files::default();
    let mut add = |name: &str, head: &str, text: &str| {
        files.insert(name, format!("{head}{text}").into_bytes())
    };
    add("helpers.rego", HEAD, HELPERS)?;
    let per_file = rules_per_file.max(1);
    for (part, first) in (0..rules).step_by(per_file).enumerate() {
        let text = mixed_rules(first, rules.min(first.saturating_add(per_file)));
        add(&format!("rules/part{part:05}.rego"), HEAD_OF_PART, &text)?;
    }
    Ok(files)
}

fn mixed_rules(from: usize, to: usize) -> String {
    let rules: Vec<_> = (from..to).map(|number| rule(number, number % KINDS)).collect();
    rules.join("\n")
}

/// Role bindings for this many workloads, and blocked addresses.
#[must_use]
pub fn data(workloads: usize) -> String {
    let roles = |n| format!("[\"role-{}\", \"role-{}\"]", n % 7, n % 3);
    let bindings: Vec<_> =
        (0..workloads).map(|n| format!("\"{}\": {}", spiffe_id(n), roles(n))).collect();
    format!(
        "{{\"bindings\": {{{}}}, \"blocked\": [\"10.6.6.6\", \"10.6.6.7\"]}}",
        bindings.join(", ")
    )
}

/// Requests of which about half are allowed by `plain(50)`, as input documents with what matters.
#[must_use]
pub fn requests(count: usize, seed: u64) -> Vec<Value> {
    (0..count).map(|number| request(&mut Random::of(seed, number))).collect()
}

fn request(random: &mut Random) -> Value {
    const RULES: usize = 50;
    let path = random.below(RULES);
    let caller = if random.below(5) < 4 { path } else { random.below(RULES) };
    let mut groups = Vec::new();
    (0..random.below(4)).for_each(|_| groups.push(format!("team-{}", random.below(5))));
    let paths = ["/api/v{}/status", "/x/public{}", "/api/v{}/a/items"];
    let path_of = *paths.get(random.below(8)).unwrap_or(&"/api/v{}/orders");
    json!({
        "source": {
            "spiffe_id": spiffe_id(caller),
            "address": {
                "ip": random.word(&["10.1.2.3", "10.6.6.6", "192.168.1.1"]),
                "port": random.one(&[22, 443, 45678]),
            },
            "jwt": { "claims": {
                "sub": random.word(&["user-1", "svc-1"]),
                "plan": random.word(&["gold", "silver", "none"]),
                "groups": groups,
                "aud": random.one(&[json!([]), json!(["orders"]), json!(["orders", "x"])]),
            } },
        },
        "request": {
            "method": random.word(&["GET", "GET", "GET", "GET", "GET", "POST", "PUT", "HEAD"]),
            "host": random.word(&["orders.svc.local", "other"]),
            "path": path_of.replace("{}", &path.to_string()),
            "headers": { "x-tenant": [random.word(&["acme", "evil1", ""])] },
            "body": { "risk": random.below(100) },
        },
    })
}

fn spiffe_id(number: usize) -> String {
    format!("spiffe://prod.example.org/ns/ns{}/sa/svc{number}", number % 17)
}

/// The rule of a number; kinds that have no form of their own are plain.
fn rule(n: usize, kind: usize) -> String {
    let id = format!("input.source.spiffe_id == \"{}\"", spiffe_id(n));
    let prefix = format!("startswith(input.request.path, \"/api/v{n}/\")");
    let text = |text: &str| text.to_owned();
    let body: Vec<String> = match kind {
        10 => vec![
            id,
            text(r#"input.request.method in {"GET", "HEAD"}"#),
            format!("input.request.path == \"/api/v{n}/status\""),
        ],
        11 => vec![id, format!("glob.match(\"/api/v{n}/*/items\", [\"/\"], input.request.path)")],
        12 => vec![id, format!("regex.match(`^/api/v{n}/[a-z0-9-]+$`, input.request.path)")],
        13 => vec![prefix, format!("\"role-{}\" in data.bindings[input.source.spiffe_id]", n % 7)],
        14 => vec![
            prefix,
            text("some g in input.source.jwt.claims.groups"),
            format!("startswith(g, \"team-{}\")", n % 5),
        ],
        15 => vec![id, text("is_read(input.request.method)"), prefix],
        16 => {
            vec![text("trusted_network"), id, text("input.request.host == \"orders.svc.local\"")]
        }
        17 => vec![id, prefix, text("not denied")],
        18 => vec![prefix, id, text("input.request.method == \"POST\"")],
        19 => vec![
            id,
            text("count(input.source.jwt.claims.aud) > 0"),
            text("input.request.body.risk < 50"),
            text("lower(input.request.host) == \"orders.svc.local\""),
        ],
        20 => vec![id, text("tier == \"gold\"")],
        21 => vec![id, text("count(deny) == 0"), text("input.request.method == \"PUT\"")],
        22 => vec![
            text("input.request.method == \"GET\""),
            format!("endswith(input.request.path, \"/public{n}\")"),
        ],
        23 => vec![id, text(r#"every a in input.source.jwt.claims.aud { startswith(a, "o") }"#)],
        24 => vec![
            id,
            text("segs := split(input.request.path, \"/\")"),
            text("segs[1] == \"api\""),
            format!("segs[2] == \"v{n}\""),
            text("not input.request.body.risk > 80"),
        ],
        _ => vec![id, text("input.request.method == \"GET\""), prefix],
    };
    let lines: String = body.iter().map(|line| format!("    {line}\n")).collect();
    format!("allow if {{\n{lines}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::AccessRequest;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut files = Files::default();
        files.insert("authz.rego", text.as_bytes().to_vec()).unwrap();
        assert_eq!(sha256(text), expected);
    }

    fn sha256(text: &str) -> String {
        use sha2::{Digest, Sha256};
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The digests are of what the generator wrote that the first figures were taken with.
    #[test]
    fn the_reference_policies_are_those_of_the_figures() {
        check(&plain(50), "9664f16d2ccfbafdbed7cf34a4f05a66c3f49fbf10f20179fcf7507ccb2f6455");
        check(&mixed(50), "9f1fc943704a28ba12c6781c6f4e90e8cd9623a372fb6f35d47314409be5f024");
        check(&mixed(500), "fe32de69261f7916d30bb134f253bbdcf1c080e5f9bee8e5975496feea287cbc");
        check(&data(1000), "8b887de3501169377205f5f9308e658baa450cd4e133a6864aaf48ebcfda61b5");
    }

    #[test]
    fn the_split_form_holds_the_same_rules() {
        let files = split(50, 20).unwrap();
        assert_eq!(files.len(), 4);
        let rules = |text: &[u8]| String::from_utf8_lossy(text).matches("allow if {").count();
        assert_eq!(files.iter().map(|(_, text)| rules(text)).sum::<usize>(), 50);
    }

    #[test]
    fn the_reference_requests_are_requests() {
        for document in requests(200, 1) {
            AccessRequest::from_document(&document).unwrap_or_else(|e| panic!("{e}: {document}"));
        }
    }
}
