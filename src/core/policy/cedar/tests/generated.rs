//! Policy sets made by a rule or at random, and requests that meet them.

use super::*;

/// So many policies by SPIFFE ID, method and path prefix, in files of 500, as `benches/data/cedar-50`
/// has fifty.
pub(super) fn by_caller_method_and_path(count: usize) -> Vec<(String, String)> {
    let policy = |n: usize| {
        format!(
            "@id(\"svc{n}\")\npermit (\n  principal == \
             Workload::\"spiffe://bench.test/ns/ns{}/sa/svc{n}\",\n  action == \
             Action::\"GET\",\n  resource\n)\nwhen {{ context.path like \"/api/v{n}/*\" }};\n",
            n % 17
        )
    };
    let file = |start: usize| {
        let text = (start..count.min(start + 500)).map(policy).collect();
        (format!("p{start}.cedar"), text)
    };
    (0..count).step_by(500).map(file).collect()
}

/// Numbers that look random and are the same in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }

    fn one_of<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const CALLERS: [&str; 7] = [
    "spiffe://td/ns/a/sa/web",
    "spiffe://td/ns/a/sa/db",
    "spiffe://td/ns/b/sa/web",
    "spiffe://td/ns/ab",
    "spiffe://other/ns/a/sa/web",
    "spiffe://bench.test/ns/ns6/sa/svc40",
    "spiffe://demo.test/ns/shop/sa/web",
];
const PATHS: [&str; 12] = [
    "/",
    "/orders",
    "/orders/",
    "/orders/17",
    "/orders/17/payment",
    "/ordersx/17",
    "/reports/daily",
    "/reports",
    "/healthz",
    "/api/v40/orders",
    "/api/v4/orders",
    "/api/v40",
];
const METHODS: [&str; 8] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE"];
const ABOVE_CALLERS: [&str; 10] = [
    "SpiffePrefix::\"spiffe://td\"",
    "SpiffePrefix::\"spiffe://td/ns/a\"",
    "SpiffePrefix::\"spiffe://td/ns/a/sa/web\"",
    "SpiffePrefix::\"spiffe://other\"",
    "TrustDomain::\"td\"",
    "TrustDomain::\"other\"",
    "Group::\"g\"",
    "Group::\"h\"",
    "Group::\"empty\"",
    "Workload::\"spiffe://td/ns/a/sa/web\"",
];
const ABOVE_ROUTES: [&str; 7] = [
    "Service::\"orders\"",
    "Service::\"billing\"",
    "Path::\"/\"",
    "Path::\"/orders\"",
    "Path::\"/orders/17\"",
    "Path::\"/reports\"",
    "Route::\"orders\"",
];
const CONDITIONS: [&str; 29] = [
    "true",
    "false",
    "context.path like \"/orders/*\"",
    "context.path == \"/orders/17\"",
    "context.path == \"/orders/\"",
    "context.path like \"/orders/*\" && context.method == \"GET\"",
    "context.path like \"/reports*\" || context.host == \"x\"",
    "context.path like \"*/payment\"",
    "context.path like \"/orders/*\" && context.segment_count + 9223372036854775805 > 0",
    "context.segment_count + 9223372036854775805 > 0",
    "context.method != \"GET\" && 9223372036854775807 * context.segment_count > 0",
    "context.headers.hasTag(\"x-tenant\") && context.headers.getTag(\"x-tenant\").contains(\"a\")",
    "context.headers.hasTag(context.scheme)",
    "context.query.hasTag(\"q\") && context.query.getTag(\"q\").contains(\"1\")",
    "context.source_ip.isInRange(ip(\"10.0.0.0/8\"))",
    "context.now < datetime(\"2026-11-21T10:00:00Z\")",
    "context has tls.sni && context.tls.sni == \"a\"",
    "context has certificate || context.protocol == \"HTTP/2\"",
    "principal in Group::\"g\"",
    "principal is Workload && principal.path like \"*/web\"",
    "principal is Workload && principal.hasTag(\"team\") && principal.getTag(\"team\") == \"shop\"",
    "principal is Workload && principal.trust_domain in Group::\"h\"",
    "principal is Workload && principal == Workload::\"spiffe://td/ns/a/sa/db\"",
    "resource in Path::\"/orders\" && action in Action::\"http:read\"",
    "principal is Workload && Roster::\"r\".on_call.contains(principal)",
    "Roster::\"r\".lead in Group::\"h\" && resource in Roster::\"r\".area",
    "principal is Workload && Roster::\"absent\".on_call.contains(principal)",
    "if context.path == \"/\" then principal is Anonymous else context.segments.contains(\"17\")",
    "context.host like \"*}*\" || context.scheme == \"https\" // }",
];

const SCHEMA: &str = "entity Roster = { on_call: Set<Workload>, lead: Group, area: Path };";
const ENTITIES: &str = r#"[
    {"uid": {"type": "Group", "id": "g"}, "parents": [{"type": "Group", "id": "h"}], "attrs": {}},
    {"uid": {"type": "TrustDomain", "id": "other"}, "parents": [{"type": "Group", "id": "g"}], "attrs": {}},
    {"uid": {"type": "SpiffePrefix", "id": "spiffe://td/ns/a"}, "parents": [{"type": "Group", "id": "h"}], "attrs": {}},
    {"uid": {"type": "Workload", "id": "spiffe://td/ns/a/sa/db"}, "parents": [{"type": "Group", "id": "g"}],
     "tags": {"team": "shop"}},
    {"uid": {"type": "Roster", "id": "r"}, "parents": [], "attrs": {
        "on_call": [{"__entity": {"type": "Workload", "id": "spiffe://td/ns/a/sa/web"}}],
        "lead": {"__entity": {"type": "Group", "id": "g"}},
        "area": {"__entity": {"type": "Path", "id": "/orders"}}}}
]"#;

/// A bundle of policies and links with scopes of every shape.
pub(super) fn bundle(random: &mut Random) -> Vec<(String, String)> {
    let (mut policies, mut links) = (String::new(), Vec::new());
    for n in 0..12 {
        policies.push_str(&policy(random, n, &mut links));
    }
    let texts = [
        ("p.cedar", policies),
        ("r.cedarschema", SCHEMA.to_owned()),
        ("entities.json", ENTITIES.to_owned()),
        ("templates.json", Value::Array(links).to_string()),
    ];
    texts.into_iter().map(|(path, text)| (path.to_owned(), text)).collect()
}

fn policy(random: &mut Random, n: usize, links: &mut Vec<Value>) -> String {
    let above = random.one_of(&ABOVE_CALLERS);
    let caller = format!("Workload::\"{}\"", random.one_of(&CALLERS));
    let principal = match random.below(12) {
        0..=2 => String::new(),
        3 => format!("== {caller}"),
        4 => "== Anonymous::\"anonymous\"".to_owned(),
        5 => format!("in {above}"),
        6 => "is Workload".to_owned(),
        7 => "is Anonymous".to_owned(),
        8 => format!("is Workload in {above}"),
        9 => "== ?principal".to_owned(),
        10 => "in ?principal".to_owned(),
        _ => "is Workload in ?principal".to_owned(),
    };
    let over = random.one_of(&ABOVE_ROUTES);
    let resource = match random.below(10) {
        0..=2 => String::new(),
        3 => format!("== Route::\"{}\"", random.one_of(&["orders", "default"])),
        4 | 5 => format!("in {over}"),
        6 => "is Route".to_owned(),
        7 => format!("is Route in {over}"),
        8 => "in ?resource".to_owned(),
        _ => "is Route in ?resource".to_owned(),
    };
    let actions = [
        "",
        "in Action::\"http\"",
        "== Action::\"GET\"",
        "in Action::\"http:read\"",
        "in Action::\"http:write\"",
        "in [Action::\"http:read\", Action::\"DELETE\"]",
        "== Action::\"OTHER\"",
    ];
    let clauses: String = (0..random.below(3)).map(|_| clause(random)).collect();
    // Only HTTP has what the conditions read.
    let action = match clauses.is_empty() {
        true => random.one_of(&actions),
        false => random.one_of(&actions[1..]),
    };
    for link in 0..if principal.contains('?') || resource.contains('?') { 2 } else { 0 } {
        let mut args = serde_json::Map::new();
        if principal.contains('?') {
            let value = match principal.starts_with("==") {
                true => format!("Workload::\"{}\"", random.one_of(&CALLERS)),
                false => random.one_of(&ABOVE_CALLERS).to_owned(),
            };
            args.insert("?principal".to_owned(), json!(value));
        }
        if resource.contains('?') {
            args.insert("?resource".to_owned(), json!(random.one_of(&ABOVE_ROUTES)));
        }
        let (template, id) = (format!("p{n}"), format!("p{n}-{link}"));
        links.push(json!({"template_id": template, "link_id": id, "args": args}));
    }
    let effect = random.one_of(&["permit", "permit", "permit", "forbid"]);
    format!(
        "@id(\"p{n}\") @when(\"unless {{\")\n{effect}(principal {principal}, action {action}, \
         resource {resource})\n{clauses};\n"
    )
}

fn clause(random: &mut Random) -> String {
    let keyword = random.one_of(&["when", "when", "unless"]);
    let comment = random.one_of(&["", "", "// when { false }\n"]);
    format!("{keyword} {{ {comment}{}\n}}\n", random.one_of(&CONDITIONS))
}

pub(super) fn request(random: &mut Random) -> Value {
    let (caller, number) = (random.one_of(&CALLERS), random.below(4));
    let mut request = json!({
        "source": if number == 0 { Value::Null } else { json!(caller) },
        "method": random.one_of(&METHODS), "path": random.one_of(&PATHS),
        "service": random.one_of(&["orders", "billing"]),
        "route": random.one_of(&["orders", "default"]),
        "source_ip": random.one_of(&["10.1.2.3", "192.0.2.1", "::1"]),
        "time": random.one_of(&["2026-11-21T09:59:59Z", "2026-11-21T10:00:00Z"]),
    });
    match random.below(4) {
        0 => request["headers"] = json!({"x-tenant": ["b", "a"], "https": "1"}),
        1 => request["query"] = json!({"q": ["1", "2"]}),
        2 => request["tls"] = json!({"sni": "a"}),
        _ => {}
    }
    request
}
