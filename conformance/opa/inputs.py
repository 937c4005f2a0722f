"""Input documents: a few requests, and each of them with one leaf of another type or without it."""

import copy
import random

OTHERS = [None, True, 7, -1.5, "", "evil", [], ["evil1", 3], {}, {"a": "b"}]
ABSENT = object()
SEED = 20260101


def request(spiffe_id, method, path, route, claims, headers, body=None):
    name = spiffe_id.removeprefix("spiffe://")
    domain, _, rest = name.partition("/")
    jwt = None if claims is None else {"claims": claims}
    return {
        "portreeve": {"version": "0.0.0"},
        "source": {
            "spiffe_id": spiffe_id,
            "trust_domain": domain,
            "path": "/" + rest,
            "segments": rest.split("/"),
            "address": {"ip": "10.1.2.3", "port": 40000},
            "certificate": None,
            "jwt": jwt,
        },
        "destination": {"spiffe_id": None, "service": "orders", "address": {"ip": "127.0.0.1", "port": 8443}},
        "request": {
            "direction": "inbound",
            "method": method,
            "scheme": "https",
            "host": "orders.svc.local",
            "path": path,
            "route": route,
            "segments": path.strip("/").split("/"),
            "query": {},
            "headers": headers,
            "protocol": "HTTP/2",
            "body": body,
            "body_truncated": False,
        },
        "tls": {"version": "TLSv1.3", "cipher_suite": "TLS_AES_128_GCM_SHA256", "alpn": "h2", "sni": None},
        "time": "2026-01-01T00:00:00Z",
    }


SHOP = "spiffe://demo.test/ns/shop/sa/"
PROD = "spiffe://prod.example.org/ns/"
GOLD = {"sub": "user-1", "plan": "gold", "scope": "orders:read a", "groups": ["team-1", "ops"], "aud": ["orders"]}
PLAIN = {"sub": "svc-1", "plan": "silver", "scope": "orders:write", "groups": ["banned"], "aud": ["x"]}

REQUESTS = {
    "web reads": request(SHOP + "web", "GET", "/orders/17", "orders", None, {}),
    "web creates": request(SHOP + "web", "POST", "/orders", "orders", None, {"x-tenant": ["t1"]}),
    "payments pays": request(SHOP + "payments", "POST", "/orders/7/payment", "orders", None, {"x-tenant": ["t1"]}),
    "batch reads": request(SHOP + "batch", "GET", "/reports/1", "reports", None, {}),
    "admin deletes": request(SHOP + "admin", "DELETE", "/orders/17", "orders", None, {}),
    "quarantined": request("spiffe://demo.test/ns/quarantine/sa/x", "GET", "/health", "health", None, {}),
    "gold reads": request(PROD + "ns1/sa/svc1", "GET", "/api/v1/items", "api", GOLD, {"x-tenant": ["acme"]}, {"risk": 10}),
    "gold writes": request(PROD + "ns2/sa/svc2", "POST", "/api/v2/items", "api", GOLD, {"x-tenant": ["evil1"]}, {"risk": 55}),
    "plain reads": request(PROD + "ns2/sa/svc2", "GET", "/public/logo", "api", PLAIN, {}, {"risk": 9}),
    "plain traces": request(PROD + "ns3/sa/svc3", "TRACE", "/x/../y", "api", PLAIN, {"x-tenant": ["evil1"]}, {"risk": 99}),
}


def leaves(value, path=()):
    """Paths of everything in a document that may be replaced, inner nodes included."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from leaves(inner, path + (key,))


def replaced(document, path, value):
    document = copy.deepcopy(document)
    parent = document
    for part in path[:-1]:
        parent = parent[part]
    if value is not ABSENT:
        parent[path[-1]] = value
    else:
        del parent[path[-1]]
    return document


def is_read(path, text):
    """A policy cannot see what its text does not name: of such leaves a few are enough."""
    return str(path[-1]) in text or isinstance(path[-1], int) or any(str(part) in text for part in path[2:])


def documents(text, count):
    """`(name, document)`: every request as it is, then `count` seeded variations."""
    yield from REQUESTS.items()
    chooser = random.Random(SEED)
    variations = [
        (name, path, value)
        for name, document in REQUESTS.items()
        for path in leaves(document)
        if is_read(path, text)
        for value in [ABSENT, *OTHERS]
    ]
    for name, path, value in chooser.sample(variations, min(count, len(variations))):
        shown = "absent" if value is ABSENT else repr(value)
        yield "%s, %s %s" % (name, ".".join(map(str, path)), shown), replaced(REQUESTS[name], path, value)
