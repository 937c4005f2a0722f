#!/usr/bin/env python3
"""The reference policies of the benches, written anew for every run, and the requests they are asked.

    generate.py plain 50 FOLDER        N Rego rules by SPIFFE ID, method and path prefix
    generate.py candidate 50 FOLDER    the same, the last statement one that only an engine evaluates
    generate.py pair 50 FOLDER         those of even numbers, each of them twice
    generate.py mixed 50 FOLDER        the same, mixed with the other ways people write rules; its data
                                       has role bindings of 1,000 workloads
    generate.py cedar 50 FOLDER        the plain rules in Cedar

A file holds at most 500 rules. Of Rego `data.authz.allow` decides; `deny` is a rule like others.
"""

import json
import pathlib
import sys

RULES_PER_FILE = 500
BOUND_WORKLOADS = 1_000
MANIFEST = {"metadata": {"portreeve": {"entrypoint": "authz/allow"}}}
HEAD = "package authz\n\nimport rego.v1\n\n"
DEFAULT = "default allow := false\n\n"

HELPERS = """\
is_read(m) if m in {"GET", "HEAD"}

trusted_network if startswith(input.source.address.ip, "10.")

denied if startswith(input.request.headers["x-tenant"][0], "evil")

denied if input.request.method == "TRACE"

denied if {
	some ip in data.blocked
	input.source.address.ip == ip
}

tier := "gold" if {
	input.source.jwt.claims.plan == "gold"
	startswith(input.source.jwt.claims.sub, "user-")
} else := "silver" if {
	input.source.jwt.claims.plan == "silver"
} else := "none"

deny contains "dotdot" if contains(input.request.path, "..")

deny contains msg if {
	input.request.body.risk > 90
	msg := sprintf("risk %v", [input.request.body.risk])
}

deny contains "tenant" if startswith(input.request.headers["x-tenant"][0], "evil")

deny contains "port" if input.source.address.port == 22
"""


def spiffe_id(i):
    return f"spiffe://bench.test/ns/ns{i % 17}/sa/svc{i}"


def plain(i):
    return [f'input.source.spiffe_id == "{spiffe_id(i)}"', 'input.request.method == "GET"',
            f'startswith(input.request.path, "/api/v{i}/")']


def candidate(i):
    caller, method, _ = plain(i)
    return [caller, method, f'startswith(lower(input.request.path), "/api/v{i}/")']


def pair(i):
    return candidate(i - i % 2)


def mixed(i):
    caller, _, prefix = plain(i)
    path = "input.request.path"
    by_kind = {
        10: [caller, 'input.request.method in {"GET", "HEAD"}', f'{path} == "/api/v{i}/status"'],
        11: [caller, f'glob.match("/api/v{i}/*/items", ["/"], {path})'],
        12: [caller, f"regex.match(`^/api/v{i}/[a-z0-9-]+$`, {path})"],
        13: [prefix, f'"role-{i % 7}" in data.bindings[input.source.spiffe_id]'],
        14: [prefix, "some g in input.source.jwt.claims.groups", f'startswith(g, "team-{i % 5}")'],
        15: [caller, "is_read(input.request.method)", prefix],
        16: ["trusted_network", caller, 'input.request.host == "orders.svc.local"'],
        17: [caller, prefix, "not denied"],
        18: [prefix, caller, 'input.request.method == "POST"'],
        19: [caller, "count(input.source.jwt.claims.aud) > 0", "input.request.body.risk < 50",
             'lower(input.request.host) == "orders.svc.local"'],
        20: [caller, 'tier == "gold"'],
        21: [caller, "count(deny) == 0", 'input.request.method == "PUT"'],
        22: ['input.request.method == "GET"', f'endswith({path}, "/public{i}")'],
        23: [caller, 'every a in input.source.jwt.claims.aud { startswith(a, "o") }'],
        24: [caller, f'segs := split({path}, "/")', 'segs[1] == "api"', f'segs[2] == "v{i}"',
             "not input.request.body.risk > 80"],
    }
    return by_kind.get(i % 25, plain(i))


KINDS = {"plain": plain, "candidate": candidate, "pair": pair, "mixed": mixed}


def rego_rule(statements):
    return "allow if {\n" + "".join(f"\t{each}\n" for each in statements) + "}\n"


def cedar_policy(i):
    return (f'@id("svc{i}")\npermit (\n  principal == Workload::"{spiffe_id(i)}",\n'
            f'  action == Action::"GET",\n  resource\n)\nwhen {{ context.path like "/api/v{i}/*" }};\n')


def data():
    bindings = {spiffe_id(i): [f"role-{i % 7}", f"role-{i % 3}"] for i in range(BOUND_WORKLOADS)}
    return {"bindings": bindings, "blocked": ["10.6.6.6", "10.6.6.7"]}


def files(kind, count):
    """The files of a bundle, by name."""
    if kind == "cedar":
        rules, head, ending = [cedar_policy(i) for i in range(count)], "", "cedar"
    else:
        write = KINDS[kind]
        rules, head, ending = [rego_rule(write(i)) for i in range(count)], HEAD, "rego"
    found = {}
    for first in range(0, count, RULES_PER_FILE):
        some = rules[first:first + RULES_PER_FILE]
        once = DEFAULT if ending == "rego" and first == 0 else ""
        found[f"authz-{first:05}.{ending}"] = head + once + "\n".join(some)
    if kind == "mixed":
        found["helpers.rego"] = HEAD + HELPERS
        found["data.json"] = json.dumps(data())
    if ending == "rego":
        found[".manifest"] = json.dumps(MANIFEST)
    return found


def write(kind, count, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(kind, count).items():
        (folder / name).write_text(text)
    return folder


def request(i, of=None):
    """An input document: workload `i` reads below the path of rule `of`, its own unless said."""
    claims = {"sub": "user-1", "plan": "gold", "groups": ["team-1", "team-2"], "aud": ["orders"]}
    certificate = {
        "serial": "5f3a9c0012de77b1", "sha256": "0123456789abcdef" * 4,
        "issuer": "O=portreeve development, CN=portreeve development CA",
        "not_before": "2026-09-21T12:00:00Z", "not_after": "2026-09-21T14:00:00Z",
    }
    source = {"spiffe_id": spiffe_id(i), "address": {"ip": "10.1.2.3", "port": 45678},
              "certificate": certificate, "jwt": {"claims": claims}}
    headers = {"accept": ["*/*"], "user-agent": ["curl/8.14.1"], "x-tenant": ["acme"]}
    asked = {"method": "GET", "host": "orders.svc.local", "headers": headers,
             "path": f"/api/v{i if of is None else of}/orders"}
    return {"source": source, "request": asked, "time": "2026-09-21T13:00:00Z"}


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in (*KINDS, "cedar"):
        sys.exit(__doc__)
    write(sys.argv[1], int(sys.argv[2]), sys.argv[3])
