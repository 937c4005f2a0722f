# Who may do what at the service `orders` of the demo shop.
# Nothing is allowed that no rule names, and a `deny` beats every `allow`.
package authz.orders

default allow := false

web := "spiffe://demo.test/ns/shop/sa/web"

payments := "spiffe://demo.test/ns/shop/sa/payments"

batch := "spiffe://demo.test/ns/shop/sa/batch"

# The web shop reads orders.
allow if {
	input.source.spiffe_id == web
	input.request.route == "orders"
	is_read
}

# The web shop creates orders.
allow if {
	input.source.spiffe_id == web
	input.request.method == "POST"
	input.request.route == "orders"
	input.request.path == "/orders"
}

# Payments reads orders.
allow if {
	input.source.spiffe_id == payments
	input.request.route == "orders"
	is_read
}

# Payments pays an order: POST /orders/{id}/payment.
allow if {
	input.source.spiffe_id == payments
	input.request.method == "POST"
	input.request.route == "orders"
	count(input.request.segments) == 3
	input.request.segments[0] == "orders"
	input.request.segments[2] == "payment"
}

# Batch reads reports.
allow if {
	input.source.spiffe_id == batch
	input.request.route == "reports"
	is_read
}

# Everyone asks for health.
allow if {
	input.request.method == "GET"
	input.request.route == "health"
}

# Admins delete orders.
allow if {
	is_admin
	input.request.method == "DELETE"
	input.request.route == "orders"
}

deny contains "only admins delete" if {
	input.request.method == "DELETE"
	not is_admin
}

deny contains "the caller is quarantined" if {
	some prefix in data.shop.quarantined_prefixes
	is_below(input.source.spiffe_id, prefix)
}

deny contains "a POST names its tenant in x-tenant" if {
	input.request.method == "POST"
	not input.request.headers["x-tenant"]
}

is_read if input.request.method in {"GET", "HEAD", "OPTIONS"}

is_admin if data.shop.admins[input.source.spiffe_id]

# The ID itself, or one below it by whole segments; a caller without identity is below nothing.
is_below(id, prefix) if id == prefix

is_below(id, prefix) if {
	is_string(id)
	startswith(id, concat("", [prefix, "/"]))
}
