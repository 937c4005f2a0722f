# A reference policy: rules by SPIFFE ID, method and path prefix.
package authz

import rego.v1

default allow := false

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns0/sa/svc0"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v0/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns1/sa/svc1"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v1/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns2/sa/svc2"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v2/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns3/sa/svc3"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v3/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns4/sa/svc4"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v4/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns5/sa/svc5"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v5/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns6/sa/svc6"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v6/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns7/sa/svc7"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v7/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns8/sa/svc8"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v8/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns9/sa/svc9"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v9/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns10/sa/svc10"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v10/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns11/sa/svc11"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v11/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns12/sa/svc12"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v12/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns13/sa/svc13"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v13/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns14/sa/svc14"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v14/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns15/sa/svc15"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v15/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns16/sa/svc16"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v16/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns0/sa/svc17"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v17/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns1/sa/svc18"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v18/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns2/sa/svc19"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v19/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns3/sa/svc20"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v20/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns4/sa/svc21"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v21/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns5/sa/svc22"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v22/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns6/sa/svc23"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v23/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns7/sa/svc24"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v24/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns8/sa/svc25"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v25/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns9/sa/svc26"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v26/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns10/sa/svc27"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v27/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns11/sa/svc28"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v28/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns12/sa/svc29"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v29/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns13/sa/svc30"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v30/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns14/sa/svc31"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v31/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns15/sa/svc32"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v32/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns16/sa/svc33"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v33/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns0/sa/svc34"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v34/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns1/sa/svc35"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v35/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns2/sa/svc36"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v36/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns3/sa/svc37"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v37/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns4/sa/svc38"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v38/")
}

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

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns8/sa/svc42"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v42/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns9/sa/svc43"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v43/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns10/sa/svc44"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v44/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns11/sa/svc45"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v45/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns12/sa/svc46"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v46/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns13/sa/svc47"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v47/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns14/sa/svc48"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v48/")
}

allow if {
	input.source.spiffe_id == "spiffe://bench.test/ns/ns15/sa/svc49"
	input.request.method == "GET"
	startswith(input.request.path, "/api/v49/")
}
