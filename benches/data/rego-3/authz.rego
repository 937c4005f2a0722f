# A reference policy: rules by SPIFFE ID, method and path prefix.
package authz

import rego.v1

default allow := false

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns5/sa/svc39"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v39/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns6/sa/svc40"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v40/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns7/sa/svc41"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v41/")
}
