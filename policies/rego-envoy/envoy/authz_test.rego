package envoy.authz_test

import data.envoy.authz

web := "spiffe://demo.test/ns/shop/sa/web"

admin := "spiffe://demo.test/ns/shop/sa/admin"

test_anyone_asks_for_health if permitted(asks("GET", ["health"]))

test_nobody_writes_health if refused(asks("POST", ["health"]))

test_nothing_is_below_health if refused(asks("GET", ["health", ""]))

test_web_reads if permitted(by(web, asks("GET", ["people", "alice"])))

test_web_does_not_write if refused(by(web, asks("PUT", ["people", "alice"])))

test_web_reads_nothing_else if refused(by(web, asks("GET", ["orders"])))

test_a_stranger_does_not_read if {
	refused(by("spiffe://other.test/ns/shop/sa/web", asks("GET", ["people", "alice"])))
}

test_an_admin_writes if permitted(by(admin, asks("DELETE", ["people", "alice"])))

test_the_service_learns_the_role if {
	answer := authz.allow with input as by(admin, asks("PUT", ["people", "alice"]))
	answer.headers == {"x-role": "write"}
	answer.request_headers_to_remove == ["x-debug"]
}

test_web_reads_its_tenant if {
	permitted(by(web, of_tenant("a", with_header("x-tenant", "a", asks("GET", ["people"])))))
}

test_web_reads_no_other_tenant if {
	refused(by(web, of_tenant("a", with_header("x-tenant", "b", asks("GET", ["people"])))))
}

test_a_tenant_is_named_in_the_header_too if {
	refused(by(web, of_tenant("a", asks("GET", ["people"]))))
}

test_alice_reads_her_page if {
	permitted(with_header("authorization", basic("alice", "d0VkLjE2Cg"), asks("GET", ["people", "alice"])))
}

test_alice_reads_no_other_page if {
	refused(with_header("authorization", basic("alice", "d0VkLjE2Cg"), asks("GET", ["people", "bob"])))
}

test_a_wrong_password_reads_nothing if {
	refused(with_header("authorization", basic("alice", "no"), asks("GET", ["people", "alice"])))
}

test_a_refusal_says_so if {
	answer := authz.allow with input as asks("GET", ["people"])
	answer.http_status == 403
	answer.body == "you may not do this"
}

permitted(request) if {
	answer := authz.allow with input as request
	answer.allowed
}

refused(request) if {
	answer := authz.allow with input as request
	not answer.allowed
}

asks(method, segments) := {
	"attributes": {
		"source": {"address": {"socketAddress": {"address": "10.0.0.7", "portValue": 41000}}},
		"request": {"http": {
			"method": method,
			"path": concat("", ["/", concat("/", segments)]),
			"headers": {":method": method},
		}},
	},
	"parsed_path": segments,
	"parsed_query": {},
}

by(id, request) := object.union(request, {"attributes": {"source": {"principal": id}}})

of_tenant(tenant, request) := object.union(request, {"parsed_query": {"tenant": [tenant]}})

with_header(name, value, request) := object.union(
	request,
	{"attributes": {"request": {"http": {"headers": {name: value}}}}},
)

basic(user, password) := concat(" ", ["Basic", base64.encode(concat(":", [user, password]))])
