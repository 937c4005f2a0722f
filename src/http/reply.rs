//! Our own answers: small, detail-free, with the decision id; in gRPC's form where gRPC asked.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, RETRY_AFTER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Response, StatusCode, Version, response};
use portreeve_core::policy::Effects;
use portreeve_core::record::DecisionId;
use portreeve_core::request::{DECISION_ID_HEADER, Head, is_reserved};

use super::ReplyBody;

/// What concerns the connection to the upstream and not the caller's (RFC 9110 §7.6.1).
static HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// How the caller wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Http,
    Grpc,
}

/// Why we answer ourselves. Each is one status and one generic sentence, never policy detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The head has no canonical form.
    BadRequest,
    /// Nobody proven asks, or one whose identity holds no more or is blocked here.
    NotAdmitted,
    /// Policy says no.
    Denied,
    /// No route: the host or path is not served here.
    NoRoute,
    /// Policy, log or identity failed: it is our fault, and nothing was forwarded.
    Unavailable,
    /// The upstream failed.
    BadGateway,
    /// The upstream took too long.
    GatewayTimeout,
}

impl Dialect {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let is_grpc = headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        if is_grpc { Self::Grpc } else { Self::Http }
    }
}

impl Answer {
    const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::NotAdmitted => StatusCode::UNAUTHORIZED,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The status codes of gRPC: 3 invalid argument, 7 permission denied, 12 unimplemented,
    /// 14 unavailable, 16 unauthenticated.
    const fn grpc_status(self) -> &'static str {
        match self {
            Self::BadRequest => "3",
            Self::NotAdmitted => "16",
            Self::Denied => "7",
            Self::NoRoute => "12",
            Self::Unavailable | Self::BadGateway | Self::GatewayTimeout => "14",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::BadRequest => "the request is ambiguous or malformed",
            Self::NotAdmitted => "the caller is not admitted",
            Self::Denied => "denied by policy",
            Self::NoRoute => "no such route",
            Self::Unavailable => "the decision is not available",
            Self::BadGateway => "the service did not answer",
            Self::GatewayTimeout => "the service took too long",
        }
    }
}

/// The answer to one request. `effects` are what a denying policy asked for.
pub(super) fn answer(
    answer: Answer,
    dialect: Dialect,
    id: &DecisionId,
    effects: Option<&Effects>,
) -> Response<ReplyBody> {
    let mut response = match dialect {
        // A response without body whose head carries the gRPC status ("Trailers-Only").
        Dialect::Grpc => Response::new(ReplyBody::empty()),
        Dialect::Http => plain(answer, id, effects),
    };
    let headers = response.headers_mut();
    set(headers, effects.map_or(&[], |effects| &effects.headers));
    if dialect == Dialect::Grpc {
        // After the policy's own: a denial stays one.
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_STATUS, HeaderValue::from_static(answer.grpc_status()));
        headers.insert(GRPC_MESSAGE, HeaderValue::from_static(answer.sentence()));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(DECISION_ID_HEADER, id_value(id));
    if matches!(answer, Answer::Unavailable) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn plain(answer: Answer, id: &DecisionId, effects: Option<&Effects>) -> Response<ReplyBody> {
    let custom = effects.and_then(|effects| effects.body.as_deref());
    let (body, content_type) = match custom {
        Some(body) => (body.to_owned(), "text/plain; charset=utf-8"),
        None => {
            let sentence = answer.sentence();
            let body = format!("{{\"error\":\"{sentence}\",\"decision_id\":\"{id}\"}}\n");
            (body, "application/json")
        }
    };
    let mut response = Response::new(ReplyBody::fixed(Bytes::from(body)));
    let status = effects.and_then(|effects| effects.http_status);
    *response.status_mut() =
        status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(answer.status());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn id_value(id: &DecisionId) -> HeaderValue {
    // A UUID's text is ASCII; the fallback cannot be reached and names nothing.
    HeaderValue::from_bytes(id.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// The head that is forwarded after an allowing policy changed it: what it removes, then what it sets.
pub(super) fn change_request(mut head: Head, effects: &Effects) -> Head {
    for name in &effects.request_headers_to_remove {
        head.headers.remove(name);
    }
    set(&mut head.headers, &effects.headers);
    head
}

/// Makes an upstream's response ours to send: its version, its hop-by-hop headers and its claims to
/// ours go.
pub(super) fn change_response(parts: &mut response::Parts, id: HeaderValue, effects: &Effects) {
    // Else hyper would speak HTTP/1.0 to the caller of an upstream that does.
    parts.version = Version::HTTP_11;
    let headers = &mut parts.headers;
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
    // Most responses have none, and each removal would hash its name.
    if headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        for name in &HOP_BY_HOP {
            headers.remove(name);
        }
    }
    for (name, value) in &effects.response_headers_to_add {
        add(headers, name, value);
    }
    headers.insert(DECISION_ID_HEADER, id);
}

/// The further headers that `Connection` names; the length is the body's, not the connection's.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(','));
    let names = names.filter_map(|name| HeaderName::try_from(name.trim()).ok());
    names.filter(|name| *name != CONTENT_LENGTH).collect()
}

/// Sets what a policy asked for in place of what came under the same names: a caller could else put
/// a value of its own beside the policy's.
fn set(headers: &mut HeaderMap, wanted: &[(String, String)]) {
    for (name, _) in wanted {
        if HeaderName::try_from(name).is_ok_and(|name| !is_reserved(&name)) {
            headers.remove(name);
        }
    }
    for (name, value) in wanted {
        add(headers, name, value);
    }
}

/// Adds a header that a policy asked for. Names and values were checked when the decision was read;
/// framing, hop-by-hop and reserved names are never a policy's to set.
fn add(headers: &mut HeaderMap, name: &str, value: &str) {
    let parsed = (HeaderName::try_from(name), HeaderValue::from_str(value));
    let (Ok(name), Ok(value)) = parsed else { return };
    if !is_reserved(&name) {
        headers.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use portreeve_core::Timestamp;

    use super::*;

    async fn rendered(given: Answer, dialect: Dialect, effects: Option<&Effects>) -> String {
        let id = DecisionId::new(Timestamp::from_unix_seconds(0), [7; 10]);
        let response = answer(given, dialect, &id, effects);
        let mut lines: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .filter(|line| !line.starts_with("cache-control") && !line.starts_with("x-portreeve"))
            .collect();
        lines.sort();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap().replace(&id.to_string(), "ID");
        format!("{status} {} {}", lines.join(", "), body.trim_end())
    }

    #[tokio::test]
    async fn a_denial_says_no_more_than_its_id() {
        assert_eq!(
            rendered(Answer::Denied, Dialect::Http, None).await,
            r#"403 content-type: application/json {"error":"denied by policy","decision_id":"ID"}"#
        );
        assert_eq!(
            rendered(Answer::Denied, Dialect::Grpc, None).await,
            "200 content-type: application/grpc, grpc-message: denied by policy, grpc-status: 7 "
        );
    }

    #[tokio::test]
    async fn a_caller_that_is_not_admitted_does_not_hear_why() {
        assert_eq!(
            rendered(Answer::NotAdmitted, Dialect::Http, None).await,
            "401 content-type: application/json \
             {\"error\":\"the caller is not admitted\",\"decision_id\":\"ID\"}"
        );
        assert_eq!(
            rendered(Answer::NotAdmitted, Dialect::Grpc, None).await,
            "200 content-type: application/grpc, grpc-message: the caller is not admitted, \
             grpc-status: 16 "
        );
    }

    #[tokio::test]
    async fn a_failure_is_not_a_denial() {
        let failure = rendered(Answer::Unavailable, Dialect::Http, None).await;
        assert!(failure.starts_with("503 content-type: application/json, retry-after: 1"));
        let failure = rendered(Answer::Unavailable, Dialect::Grpc, None).await;
        assert!(failure.contains("grpc-status: 14"), "{failure}");
    }

    #[tokio::test]
    async fn a_policy_may_word_its_denial_but_not_frame_it() {
        let effects = Effects {
            http_status: Some(429),
            body: Some("slow down".to_owned()),
            headers: vec![
                ("x-why".to_owned(), "quota".to_owned()),
                ("content-type".to_owned(), "text/html".to_owned()),
                ("content-length".to_owned(), "0".to_owned()),
                ("x-portreeve-decision-id".to_owned(), "forged".to_owned()),
            ],
            ..Effects::default()
        };
        assert_eq!(
            rendered(Answer::Denied, Dialect::Http, Some(&effects)).await,
            "429 content-type: text/html, x-why: quota slow down"
        );
        let effects = Effects {
            headers: vec![("grpc-status".to_owned(), "0".to_owned())],
            ..Effects::default()
        };
        let denial = rendered(Answer::Denied, Dialect::Grpc, Some(&effects)).await;
        assert!(denial.contains("grpc-status: 7") && !denial.contains(": 0"), "{denial}");
    }

    #[test]
    fn what_a_policy_sets_stands_alone() {
        let request = http::Request::builder().uri("/").header("host", "a");
        let request = request.header("x-user", "admin").header("x-other", "1");
        let parts = request.body(()).unwrap().into_parts().0;
        let head = Head::canonical(parts, portreeve_core::request::Scheme::Https).unwrap();
        let wanted = [("X-User", "bob"), ("x-user", "alice"), ("x-spiffe-id", "forged")];
        let headers = wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let head = change_request(head, &Effects { headers, ..Effects::default() });
        let users: Vec<_> = head.headers.get_all("x-user").iter().collect();
        assert_eq!(users, ["bob", "alice"]);
        assert_eq!(head.headers.len(), 3);
    }

    #[test]
    fn an_upstream_speaks_to_us_in_its_hop_by_hop_headers() {
        let response = Response::builder().version(Version::HTTP_10);
        let response = response
            .header("connection", "close, X-Hop")
            .header("x-hop", "1")
            .header("keep-alive", "timeout=5")
            .header("x-portreeve-decision-id", "forged")
            .header("x-kept", "1");
        let (mut parts, ()) = response.body(()).unwrap().into_parts();
        change_response(&mut parts, HeaderValue::from_static("ours"), &Effects::default());
        assert_eq!(parts.version, Version::HTTP_11);
        let mut left: Vec<_> = parts.headers.iter().map(|(n, v)| (n.as_str(), v)).collect();
        left.sort();
        let (kept, id) = (HeaderValue::from_static("1"), HeaderValue::from_static("ours"));
        assert_eq!(left, [("x-kept", &kept), ("x-portreeve-decision-id", &id)]);
    }
}
