# A policy written for Envoy's OPA plugin: its input, its decision object, its entry point.
# It runs here as it runs there; `opa test` runs its tests too.
package envoy.authz

import input.attributes.request.http as http_request

default allow := {
	"allowed": false,
	"http_status": 403,
	"headers": {"x-refused-by": "envoy.authz"},
	"body": "you may not do this",
}

# Anyone asks whether the service is up.
allow := {"allowed": true} if {
	http_request.method == "GET"
	input.parsed_path == ["health"]
}

# A workload does what its role may, and the service learns its role.
allow := {
	"allowed": true,
	"headers": {"x-role": role},
	"request_headers_to_remove": ["x-debug"],
	"response_headers_to_add": {"cache-control": "no-store"},
} if {
	input.parsed_path[0] == "people"
	some role in data.roles.grants[input.attributes.source.principal]
	http_request.method in methods[role]
	not asks_for_another_tenant
}

# A person without a workload of their own reads their own page.
allow := {"allowed": true, "headers": {"x-user": user}} if {
	not input.attributes.source.principal
	http_request.method == "GET"
	[user, password] := credentials
	data.roles.users[user] == password
	input.parsed_path == ["people", user]
}

methods := {"read": {"GET", "HEAD"}, "write": {"POST", "PUT", "DELETE"}}

asks_for_another_tenant if {
	some tenant in input.parsed_query.tenant
	tenant != http_request.headers["x-tenant"]
}

asks_for_another_tenant if {
	input.parsed_query.tenant
	not http_request.headers["x-tenant"]
}

# `authorization: Basic base64(user:password)`
credentials := [user, password] if {
	[scheme, encoded] := split(http_request.headers.authorization, " ")
	lower(scheme) == "basic"
	[user, password] := split(base64.decode(encoded), ":")
}
