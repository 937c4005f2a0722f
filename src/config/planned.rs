//! What the file format will hold one day: refused by name, so that nobody believes it is in force.

use super::place::At;

/// A field (`*` stands for any index) and its value, or `None` for the whole field; then a hint.
type Planned = (&'static str, Option<&'static str>, Option<&'static str>);

const PLANNED: &[Planned] = &[
    ("listeners/*/protocol", Some("tcp"), None),
    ("listeners/*/protocol", Some("probe"), Some("probe the sidecar itself at `health.address`")),
    ("listeners/*/plaintext", None, Some("callers without mTLS are always refused")),
    ("listeners/*/direction", None, Some("every listener is inbound")),
    ("listeners/*/proxy_protocol", None, None),
    ("listeners/*/routes/*/policy", None, Some("one policy decides all routes")),
    ("listeners/*/routes/*/rate_limit", None, None),
    ("upstreams/*/retries", None, None),
    ("policy/source/bundle", None, Some("use `git` or `dir`")),
    ("policy/source/http", None, Some("use `git` or `dir`")),
    ("policy/verify", Some("*"), Some("only `none` is, and it must be written out")),
    ("policy/signers", None, None),
    ("policy/min_revision", None, None),
    ("policy/max_staleness", None, None),
    ("policy/tests", None, None),
    ("log/checkpoints", None, None),
    ("log/sinks", None, None),
    ("log/sample", None, None),
    ("log/mask", None, None),
    ("admin/address", None, Some("use `admin.socket`")),
    ("telemetry/otlp", None, None),
    ("pdp", None, None),
    ("extends", None, None),
    ("include", None, None),
];

/// Whether a field, or this value of it, is planned; and what to do meanwhile.
pub(super) fn planned(at: &At, value: Option<&str>) -> Option<Option<&'static str>> {
    let parts: Vec<String> = at.parts().collect();
    let fits = |pattern: &str| {
        let names = pattern.split('/');
        names.clone().count() == parts.len()
            && names.zip(&parts).all(|(name, part)| name == "*" || name == part)
    };
    PLANNED
        .iter()
        .find(|(pattern, only, _)| {
            fits(pattern)
                && match (only, value) {
                    (None, None) | (Some("*"), Some(_)) => true,
                    (Some(only), Some(value)) => *only == value,
                    (None, Some(_)) | (Some(_), None) => false,
                }
        })
        .map(|(_, _, note)| *note)
}
