//! What a policy may not call, and what to do instead.

const REFUSED: [(&str, &str); 10] = [
    ("http.send", "a decision sends no requests: put what it needs into data"),
    ("opa.runtime", "a decision may depend on the request and the bundle only"),
    ("rand.intn", "a decision must repeat"),
    ("uuid.rfc4122", "a decision must repeat"),
    ("net.lookup_ip_addr", "a decision sends no requests"),
    ("rego.parse_module", "a decision parses no policy"),
    ("net.cidr_expand", "its cost grows with its argument: use `net.cidr_contains`"),
    ("bits.lsh", "its cost grows with its argument"),
    ("providers.aws.sign_req", "a decision signs no requests"),
    ("test.sleep", "a decision never waits"),
];

/// Why the builtin of this name is refused, if it is.
pub(in super::super) fn reason_refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, reason)| *reason)
}
