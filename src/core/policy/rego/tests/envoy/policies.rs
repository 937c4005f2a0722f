//! Policies in the forms that people write for the plugin, each with what it allows and its twins that
//! it denies. Those of `policies/rego-envoy` come with the program; here stand the other forms.

use serde_json::json;

use super::{ENTRYPOINT, asks, authz, line, load};
use crate::policy::rego::Policies;
use crate::request::Body;

const WEB: Option<&str> = Some("spiffe://demo.test/ns/shop/sa/web");
const BATCH: Option<&str> = Some("spiffe://demo.test/ns/shop/sa/batch");
const ALLOW: &str = "allow";
const DENY: &str = "deny";

/// Tokens of this test's key around the time of its requests; the last is signed with another key.
const ADMIN_TOKEN: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJyb2xlIjoiYWRtaW4iLCJuYmYiOjE3OTk5OTkwMDAsImV4cCI6MTgwMDAwMzYwMH0.\
    J2PrK695SBbPp1qqrYKV5xW3GZj9_MNALMz2X0YYBtE";
const GUEST_TOKEN: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJyb2xlIjoiZ3Vlc3QiLCJuYmYiOjE3OTk5OTkwMDAsImV4cCI6MTgwMDAwMzYwMH0.\
    2DqHA9fDBtDsrNedXyoqZZ_MouiGhSHSOEjkRT56axA";
const EXPIRED_TOKEN: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJyb2xlIjoiYWRtaW4iLCJuYmYiOjEsImV4cCI6MTc5OTk5OTk5OX0.\
    JKCeQime8d88azRHbxFrST6HXgM0Ri3mj75o6vYZKCo";
const FORGED_TOKEN: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJyb2xlIjoiYWRtaW4iLCJuYmYiOjE3OTk5OTkwMDAsImV4cCI6MTgwMDAwMzYwMH0.\
    PdrvI6Nr7Lx7z4lHog43HzE71bBqFSyCaOyoYYx0UJ8";

type Asked<'a> = (Option<&'a str>, &'a str, &'a [(&'a str, &'a str)], &'a str);

/// Each request's outcome; a denial here is a clean one, never a failure to evaluate.
#[track_caller]
fn check(module: &str, cases: &[Asked<'_>]) {
    check_loaded(&authz(module), cases);
}

#[track_caller]
pub(super) fn check_loaded(policies: &Policies, cases: &[Asked<'_>]) {
    for (id, request, headers, expected) in cases {
        let verdict = policies.evaluate(&asks(*id, request, headers));
        assert_eq!(
            verdict.outcome.as_str(),
            *expected,
            "{request} {headers:?}: {}",
            line(&verdict)
        );
        let reason = verdict.reason.as_str();
        let is_clean = matches!(reason, "allowed" | "not_allowed" | "undefined");
        assert!(is_clean && verdict.errors.is_empty(), "{request}: {}", line(&verdict));
    }
    assert!(cases.iter().any(|case| case.3 == ALLOW) && cases.iter().any(|case| case.3 == DENY));
}

#[test]
fn methods_and_paths_with_an_import_alias() {
    let module = r#"
        import input.attributes.request.http as http_request

        default allow = false

        allow if {
            http_request.method == "GET"
            glob.match("/people/*", ["/"], http_request.path)
        }

        allow if {
            http_request.method == "POST"
            http_request.path == "/people"
        }"#;
    check(
        module,
        &[
            (None, "GET /people/7", &[], ALLOW),
            (None, "POST /people", &[], ALLOW),
            (None, "GET /people/7/pay", &[], DENY),
            (None, "DELETE /people/7", &[], DENY),
            // The path holds the query, as Envoy's does.
            (None, "POST /people?a=1", &[], DENY),
        ],
    );
}

#[test]
fn segments_of_the_parsed_path() {
    let module = r#"
        default allow := false

        allow if {
            some tenant
            input.parsed_path = ["v1", "tenants", tenant, "orders"]
            tenant == input.attributes.request.http.headers["x-tenant"]
        }

        allow if input.parsed_path == ["public", "my file"]"#;
    check(
        module,
        &[
            (None, "GET /v1/tenants/a/orders?x=1", &[("x-tenant", "a")], ALLOW),
            (None, "GET /public/my%20file", &[], ALLOW),
            (None, "GET /v1/tenants/a/orders", &[("x-tenant", "b")], DENY),
            (None, "GET /v1/tenants/a/orders", &[], DENY),
            (None, "GET /v1/tenants/a/orders/1", &[("x-tenant", "a")], DENY),
            // An encoded slash would be one more separator to the plugin.
            (None, "GET /v1/tenants%2Fa/orders", &[("x-tenant", "a")], DENY),
        ],
    );
}

#[test]
fn a_single_import_of_http() {
    let module = r#"
        import input.attributes.request.http

        default allow := false

        allow if {
            http.method in {"GET", "HEAD"}
            http.host == "orders.test"
            http.scheme == "https"
            http.protocol == "HTTP/1.1"
            http.headers[":method"] == http.method
            http.headers[":authority"] == http.host
        }"#;
    check(module, &[(None, "HEAD /", &[], ALLOW), (None, "PUT /", &[], DENY)]);
}

#[test]
fn the_spiffe_id_of_the_source() {
    let module = r#"
        default allow := false

        allow if {
            input.attributes.source.principal == "spiffe://demo.test/ns/shop/sa/web"
            input.parsed_path[0] == "orders"
        }

        allow if {
            startswith(input.source_principal, "spiffe://demo.test/ns/shop/")
            input.parsed_path[0] == "health"
        }"#;
    check(
        module,
        &[
            (WEB, "GET /orders/1", &[], ALLOW),
            (BATCH, "GET /health", &[], ALLOW),
            (BATCH, "GET /orders/1", &[], DENY),
            // Without a certificate there is no principal, and the rule is undefined, not an error.
            (None, "GET /health", &[], DENY),
        ],
    );
}

#[test]
fn a_role_by_data_and_service_account() {
    let module = r#"package envoy.authz

        default allow := false

        account := parts[count(parts) - 1] if parts := split(input.attributes.source.principal, "/")

        allow if {
            some grant in data.roles.grants[account]
            grant.method == input.attributes.request.http.method
            startswith(input.attributes.request.http.path, grant.prefix)
        }"#;
    let grants = r#"{"grants": {"web": [{"method": "GET", "prefix": "/orders/"}]}}"#;
    let files = [("authz.rego", module), ("roles/data.json", grants)];
    let policies = load(&files, ENTRYPOINT).unwrap();
    check_loaded(
        &policies,
        &[
            (WEB, "GET /orders/1", &[], ALLOW),
            (WEB, "POST /orders/1", &[], DENY),
            (WEB, "GET /reports", &[], DENY),
            (BATCH, "GET /orders/1", &[], DENY),
        ],
    );
}

#[test]
fn basic_authentication() {
    let module = r#"
        default allow := {
            "allowed": false,
            "http_status": 401,
            "headers": {"www-authenticate": "Basic realm=\"orders\""},
        }

        allow := {"allowed": true, "headers": {"x-user": user}} if {
            user := credentials[0]
            data.envoy.authz.passwords[user] == credentials[1]
        }

        passwords := {"alice": "wonder:land"}

        credentials := [user, password] if {
            [scheme, encoded] := split(input.attributes.request.http.headers.authorization, " ")
            scheme == "Basic"
            decoded := base64.decode(encoded)
            colon := indexof(decoded, ":")
            user := substring(decoded, 0, colon)
            password := substring(decoded, colon + 1, -1)
        }"#;
    check(
        module,
        &[
            (None, "GET /", &[("authorization", "Basic YWxpY2U6d29uZGVyOmxhbmQ=")], ALLOW),
            (None, "GET /", &[("authorization", "Basic YWxpY2U6bm8=")], DENY),
            (None, "GET /", &[("authorization", "Bearer YWxpY2U6d29uZGVyOmxhbmQ=")], DENY),
            (None, "GET /", &[], DENY),
        ],
    );
}

/// The form of OPA's own tutorial: a token verified by its key, its times by the request's.
#[test]
fn a_json_web_token() {
    let module = r#"
        import input.attributes.request.http as http_request

        default allow := false

        allow if {
            token.valid
            now := time.now_ns() / 1000000000
            token.payload.nbf <= now
            now < token.payload.exp
            allowed_methods[token.payload.role][http_request.method]
        }

        allowed_methods := {"guest": {"GET"}, "admin": {"GET", "POST"}}

        token := {"valid": valid, "payload": payload} if {
            [_, encoded] := split(http_request.headers.authorization, " ")
            valid := io.jwt.verify_hs256(encoded, "a test key of no worth, 32 bytes")
            [_, payload, _] := io.jwt.decode(encoded)
        }"#;
    let admin = [("authorization", ADMIN_TOKEN)];
    let guest = [("authorization", GUEST_TOKEN)];
    check(
        module,
        &[
            (None, "POST /", &admin, ALLOW),
            (None, "GET /", &guest, ALLOW),
            (None, "POST /", &guest, DENY),
            (None, "POST /", &[("authorization", EXPIRED_TOKEN)], DENY),
            (None, "POST /", &[("authorization", FORGED_TOKEN)], DENY),
            (None, "GET /", &[], DENY),
        ],
    );
}

#[test]
fn a_token_in_a_header_by_prefix_and_set() {
    let module = r#"
        import input.attributes.request.http as http_request

        default allow := false

        allowed_keys := {"k-1", "k-2"}

        allow if allowed_keys[trim_prefix(http_request.headers["x-api-key"], "Key ")]
        allow if regex.match(`^/(status|metrics)$`, http_request.path)"#;
    check(
        module,
        &[
            (None, "GET /a", &[("x-api-key", "Key k-2")], ALLOW),
            (None, "GET /metrics", &[], ALLOW),
            (None, "GET /a", &[("x-api-key", "Key k-3")], DENY),
            (None, "GET /metrics/all", &[], DENY),
            // Two lines are one text, and it is none of the keys.
            (None, "GET /a", &[("x-api-key", "k-1"), ("x-api-key", "k-2")], DENY),
        ],
    );
}

#[test]
fn the_parsed_query() {
    let module = r#"
        default allow := false

        allow if {
            input.parsed_query.lang == ["en"]
            "1" in input.parsed_query.id
            not input.parsed_query.debug
        }"#;
    check(
        module,
        &[
            (None, "GET /a?lang=en&id=2&id=1", &[], ALLOW),
            (None, "GET /a?lang=en&lang=de&id=1", &[], DENY),
            (None, "GET /a?lang=en&id=1&debug", &[], DENY),
            (None, "GET /a", &[], DENY),
        ],
    );
}

#[test]
fn grpc_by_its_path() {
    let module = r#"
        default allow := false

        methods := {"shop.Orders": {"Get", "List"}}

        allow if {
            input.attributes.request.http.method == "POST"
            startswith(input.attributes.request.http.headers["content-type"], "application/grpc")
            [service, method] := input.parsed_path
            method in methods[service]
        }"#;
    let grpc = [("content-type", "application/grpc+proto"), ("te", "trailers")];
    check(
        module,
        &[
            (WEB, "POST /shop.Orders/Get", &grpc, ALLOW),
            (WEB, "POST /shop.Orders/Delete", &grpc, DENY),
            (WEB, "POST /shop.Other/Get", &grpc, DENY),
            (WEB, "POST /shop.Orders/Get", &[("content-type", "text/plain")], DENY),
        ],
    );
}

#[test]
fn addresses_and_the_name_asked_for() {
    let module = r#"
        import input.attributes as a

        default allow := false

        allow if {
            net.cidr_contains("10.1.0.0/16", a.source.address.socketAddress.address)
            a.destination.address.socketAddress.portValue == 8443
            a.tlsSession.sni == "orders.test"
            input.parsed_path != ["private"]
        }"#;
    check(
        module,
        &[
            (WEB, "GET /", &[], ALLOW),
            (WEB, "GET /private", &[], DENY),
            (None, "GET /", &[], DENY), // no TLS
        ],
    );
}

#[test]
fn the_time_of_the_request() {
    let module = r#"
        default allow := false

        allow if {
            [hour, _, _] := time.clock(time.parse_rfc3339_ns(input.attributes.request.time))
            hour >= 8
            hour < 18
            time.parse_rfc3339_ns(input.attributes.request.time) == time.now_ns()
        }"#;
    let policies = authz(module);
    let mut request = asks(None, "GET /", &[]);
    assert_eq!(policies.evaluate(&request).outcome.as_str(), ALLOW);
    request.time = crate::Timestamp::from_unix_seconds(1_800_000_000 + 12 * 3600);
    assert_eq!(policies.evaluate(&request).outcome.as_str(), DENY);
}

#[test]
fn a_body_where_it_is_read() {
    let module = r#"
        default allow := false

        allow if {
            input.attributes.request.http.method == "POST"
            not input.truncated_body
            input.parsed_body.amount < 100
        }"#;
    let policies = authz(module);
    let outcome = |body| {
        let mut request = asks(None, "POST /", &[]);
        request.body = body;
        policies.evaluate(&request).outcome.as_str()
    };
    assert_eq!(outcome(Body::Parsed(json!({"amount": 99}))), ALLOW);
    assert_eq!(outcome(Body::Parsed(json!({"amount": 100}))), DENY);
    assert_eq!(outcome(Body::Parsed(json!({}))), DENY);
    assert_eq!(outcome(Body::Truncated), DENY);
    assert_eq!(outcome(Body::NotRead), DENY);
}

#[test]
fn an_object_that_grows_by_parts() {
    let module = r#"
        import input.attributes.request.http as http_request

        allow["allowed"] := allowed
        allow["http_status"] := 404 if not allowed
        allow["body"] := "nothing here" if not allowed
        allow.headers["x-by"] := "policy"
        allow.headers[name] := value if some name, value in {"x-also": "1"}
        allow.request_headers_to_remove contains "x-b"
        allow.request_headers_to_remove contains "x-a"

        default allowed := false
        allowed if http_request.method == "GET""#;
    check(module, &[(None, "GET /", &[], ALLOW), (None, "PUT /", &[], DENY)]);
    let denied = authz(module).evaluate(&asks(None, "PUT /", &[]));
    assert_eq!(denied.effects.http_status, Some(404));
    assert_eq!(denied.effects.body.as_deref(), Some("nothing here"));
    let allowed = authz(module).evaluate(&asks(None, "GET /", &[]));
    assert_eq!(line(&allowed), "allow allowed authz.rego:5");
    assert_eq!(allowed.effects.request_headers_to_remove, ["x-a", "x-b"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(allowed.effects.headers, [pair("x-also", "1"), pair("x-by", "policy")]);

    let nothing = "allow[\"allowed\"] := true if input.parsed_path == [\"a\"]";
    let seen = line(&authz(nothing).evaluate(&asks(None, "GET /b", &[])));
    assert_eq!(seen, "deny bad_result authz.rego:2 | the decision has no field `allowed`");
    let by_key =
        "allow[key] := value if some key, value in {\"allowed\": input.parsed_path == [\"a\"]}";
    check(by_key, &[(None, "GET /a", &[], ALLOW), (None, "GET /b", &[], DENY)]);
    let error = "allow.allowed := true\nallow.body := concat(\"\", [1]) if input.parsed_path";
    let seen = line(&authz(error).evaluate(&asks(None, "GET /", &[])));
    assert!(seen.starts_with("error policy_error"), "{seen}");
}

#[test]
fn the_plugins_own_version_and_all_of_the_input() {
    let module = r#"
        default allow := false

        allow if {
            input.version == {"encoding": "protojson", "ext_authz": "v3"}
            some path, value
            walk(input.attributes, [path, value])
            value == "GET"
            object.get(input, ["attributes", "contextExtensions", "shadow"], "no") == "no"
        }"#;
    check(module, &[(None, "GET /", &[], ALLOW), (None, "PUT /", &[], DENY)]);
}

#[test]
fn rego_before_v1_is_told_how_to_be_rewritten() {
    let module =
        "package envoy.authz\ndefault allow = false\nallow { input.parsed_path[0] == \"a\" }";
    let refused = load(&[("p.rego", module)], ENTRYPOINT).unwrap_err();
    assert!(refused.contains("this is Rego v0 syntax"), "{refused}");
}
