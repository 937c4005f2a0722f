package authz.orders_test

import data.authz.orders

test_web_reads_an_order if permitted(asks("web", "GET", "orders", "/orders/17"))

test_web_reads_the_head_of_an_order if permitted(asks("web", "HEAD", "orders", "/orders/17"))

test_web_reads_no_report if refused(asks("web", "GET", "reports", "/reports/daily"))

test_web_creates_an_order if permitted(with_tenant(asks("web", "POST", "orders", "/orders")))

test_web_creates_no_order_without_tenant if {
	forbidden(asks("web", "POST", "orders", "/orders"))
}

test_web_posts_to_no_existing_order if {
	refused(with_tenant(asks("web", "POST", "orders", "/orders/17")))
}

test_web_pays_no_order if {
	refused(with_tenant(asks("web", "POST", "orders", "/orders/17/payment")))
}

test_payments_reads_an_order if permitted(asks("payments", "GET", "orders", "/orders/17"))

test_payments_creates_no_order if {
	refused(with_tenant(asks("payments", "POST", "orders", "/orders")))
}

test_payments_pays_an_order if {
	permitted(with_tenant(asks("payments", "POST", "orders", "/orders/17/payment")))
}

test_payments_pays_no_order_without_tenant if {
	forbidden(asks("payments", "POST", "orders", "/orders/17/payment"))
}

test_payments_pays_nothing_below_an_order if {
	refused(with_tenant(asks("payments", "POST", "orders", "/orders/17/lines/payment")))
}

test_batch_reads_a_report if permitted(asks("batch", "GET", "reports", "/reports/daily"))

test_batch_writes_no_report if refused(asks("batch", "PUT", "reports", "/reports/daily"))

test_batch_reads_no_order if refused(asks("batch", "GET", "orders", "/orders/17"))

test_an_admin_deletes_an_order if permitted(asks("admin", "DELETE", "orders", "/orders/17"))

test_an_admin_deletes_no_report if {
	refused(asks("admin", "DELETE", "reports", "/reports/daily"))
}

test_web_deletes_no_order if forbidden(asks("web", "DELETE", "orders", "/orders/17"))

test_a_deletion_follows_the_data if {
	request := asks("web", "DELETE", "orders", "/orders/17")
	orders.allow with input as request with data.shop.admins as {request.source.spiffe_id: true}
	count(orders.deny) == 0 with input as request
		with data.shop.admins as {request.source.spiffe_id: true}
}

test_anyone_asks_for_health if {
	permitted({
		"source": {"spiffe_id": null},
		"request": {
			"method": "GET",
			"route": "health",
			"path": "/healthz",
			"segments": ["healthz"],
			"headers": {},
		},
	})
}

test_nobody_writes_health if refused(asks("web", "PUT", "health", "/healthz"))

test_a_quarantined_workload_asks_for_nothing if {
	forbidden(by("spiffe://demo.test/ns/quarantine/sa/web", "GET", "health", "/healthz"))
}

test_a_similar_name_is_not_quarantined if {
	permitted(by("spiffe://demo.test/ns/quarantined/sa/web", "GET", "health", "/healthz"))
}

test_what_no_rule_names_is_refused if refused(asks("web", "GET", "default", "/admin"))

permitted(request) if {
	orders.allow with input as request
	count(orders.deny) == 0 with input as request
}

# Nothing allows it, and nothing needs to forbid it.
refused(request) if {
	not orders.allow with input as request
	count(orders.deny) == 0 with input as request
}

forbidden(request) if count(orders.deny) > 0 with input as request

asks(account, method, route, path) := by(id, method, route, path) if {
	id := concat("", ["spiffe://demo.test/ns/shop/sa/", account])
}

by(id, method, route, path) := {
	"source": {"spiffe_id": id},
	"request": {
		"method": method,
		"route": route,
		"path": path,
		"segments": split(trim_prefix(path, "/"), "/"),
		"headers": {},
	},
}

with_tenant(request) := object.union(request, {"request": {"headers": {"x-tenant": ["a"]}}})
