//! What a policy may not call, and what to do instead.

pub(super) const REFUSED: &[(&str, &str)] = &[
    ("http.send", "a decision sends no requests: put what it needs into data"),
    ("opa.runtime", "a decision may depend on the request and the bundle only"),
    ("rand.intn", "a decision must repeat"),
    ("uuid.rfc4122", "a decision must repeat"),
    ("net.lookup_ip_addr", "a decision sends no requests"),
    ("rego.parse_module", "a decision parses no policy"),
    ("rego.metadata.chain", "a decision reads no annotations: put the text into the rule"),
    ("rego.metadata.rule", "a decision reads no annotations: put the text into the rule"),
    ("test.sleep", "a decision never waits"),
    ("providers.aws.sign_req", "a decision sends no requests, and holds no keys to sign them"),
    ("strings.render_template", "Go's template language is a language of its own: use `sprintf`"),
    ("graphql.is_valid", GRAPHQL),
    ("graphql.parse", GRAPHQL),
    ("graphql.parse_and_verify", GRAPHQL),
    ("graphql.parse_query", GRAPHQL),
    ("graphql.parse_schema", GRAPHQL),
    ("graphql.schema_is_valid", GRAPHQL),
    ("json.match_schema", SCHEMA),
    ("json.verify_schema", SCHEMA),
    ("all", "Rego v1 has it no more: use `every`"),
    ("any", "Rego v1 has it no more: use `some`"),
    ("cast_array", CAST),
    ("cast_boolean", CAST),
    ("cast_null", CAST),
    ("cast_object", CAST),
    ("cast_set", CAST),
    ("cast_string", CAST),
    ("net.cidr_overlap", "Rego v1 has it no more: use `net.cidr_contains`"),
    ("re_match", "Rego v1 has it no more: use `regex.match`"),
    ("set_diff", "Rego v1 has it no more: use `-`"),
];
const GRAPHQL: &str = "a decision parses no GraphQL";
const SCHEMA: &str = "the engine has no JSON Schema: write the conditions as rules";
const CAST: &str = "Rego v1 has it no more: use `is_array` and its like";

/// Why the builtin of this name is refused, if it is.
pub(in super::super) fn reason_refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, reason)| *reason)
}
