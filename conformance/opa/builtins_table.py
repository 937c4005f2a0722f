"""Calls of every builtin that OPA knows: those written here, and each of them with one argument
replaced by an edge of its type and by values of other types."""

import re

# Not called, and why.
NOT_CALLED = {
    "http.send": "refused at load; it would leave the machine",
    "net.lookup_ip_addr": "refused at load; it would leave the machine",
    "opa.runtime": "refused at load; it tells of the machine",
    "rand.intn": "refused at load; its answer is any",
    "uuid.rfc4122": "refused at load; its answer is any",
    "time.now_ns": "its answer is any",
    "io.jwt.encode_sign": "its answer is any for the algorithms that are random",
    "io.jwt.encode_sign_raw": "its answer is any for the algorithms that are random",
    "print": "it has no answer",
    "trace": "its answer says nothing",
    "internal.print": "no policy calls it",
    "internal.template_string": "no policy calls it",
    "internal.test_case": "no policy calls it",
    "providers.aws.sign_req": "not provided",
    "rego.metadata.chain": "not provided, and it has no arguments",
    "rego.metadata.rule": "not provided, and it has no arguments",
    "rego.parse_module": "refused at load",
    "crypto.parse_private_keys": "held against the compliance cases: it takes keys",
    "crypto.x509.parse_keypair": "held against the compliance cases: it takes keys",
    "crypto.x509.parse_rsa_private_key": "held against the compliance cases: it takes keys",
}
# Rego 1.0 has them no more.
DEPRECATED = {"all", "any", "re_match", "set_diff", "net.cidr_overlap"} | {
    "cast_" + kind for kind in ("array", "boolean", "null", "object", "set", "string")
}
# An argument sets the cost: OPA itself would not survive the edges.
NOT_VARIED = {"bits.lsh", "net.cidr_expand", "numbers.range", "numbers.range_step"}

TOKEN = ('"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhIiwibiI6MX0.'
         'U5Wy4gTbhbJzMPCN8Te1hw7o5wZlsMlHAtQdBsvK2vE"')
DAY = "1767225600000000000"
GRAPH = '{"a": ["b", "c"], "b": {"d"}, "c": [], "d": ["a"]}'
SCHEMA = '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}'

# name: argument lists in Rego; the first of them is the one that is varied.
CALLS = {
    "abs": ["-3", "2.5", "-0.0"],
    "array.concat": ["[1, 2], [3]"],
    "array.flatten": ["[1, [2, [3]], []]"],
    "array.reverse": ["[1, 2, 3]"],
    "array.slice": ["[1, 2, 3, 4], 1, 3", "[1, 2], -1, 9", "[1, 2], 2, 1"],
    "base64.decode": ['"YWJj"', '"YWJj\\n"', '"YWI"', '"_-8="'],
    "base64.encode": ['"abc"', '"é?>"'],
    "base64.is_valid": ['"YWJj"', '"YWI"'],
    "base64url.decode": ['"YWJj"', '"YWI"', '"_-8"', '"_-8="', '"+/8"'],
    "base64url.encode": ['"ab?>"'],
    "base64url.encode_no_pad": ['"ab?>"'],
    "bits.and": ["6, 3", "-1, 255"],
    "bits.lsh": ["1, 4"],
    "bits.negate": ["5"],
    "bits.or": ["6, 3"],
    "bits.rsh": ["16, 2", "16, -1"],
    "bits.xor": ["6, 3"],
    "ceil": ["1.2", "-1.2"],
    "concat": ['", ", ["a", "b"]', '"", {"b", "a"}'],
    "contains": ['"abc", "b"', '"", ""'],
    "count": ["[1, 2]", '"aé"', '{"a": 1}', "{1, 2}"],
    "crypto.hmac.equal": ['"ab", "ab"', '"ab", "AB"'],
    "crypto.hmac.md5": ['"a", "k"'],
    "crypto.hmac.sha1": ['"a", "k"'],
    "crypto.hmac.sha256": ['"a", "k"'],
    "crypto.hmac.sha512": ['"a", "k"'],
    "crypto.md5": ['"a"'],
    "crypto.sha1": ['"a"'],
    "crypto.sha256": ['"a"'],
    "crypto.x509.parse_and_verify_certificates": ['"YWJj"'],
    "crypto.x509.parse_and_verify_certificates_with_options": ['"YWJj", {"KeyUsages": ["KeyUsageAny"]}'],
    "crypto.x509.parse_certificate_request": ['"YWJj"'],
    "crypto.x509.parse_certificates": ['"YWJj"'],
    "endswith": ['"abc", "bc"'],
    "floor": ["1.8", "-1.2"],
    "format_int": ["10, 2", "255, 16", "-255.7, 8"],
    "glob.match": ['"*.test", ["."], "a.test"', '"*", [], "a.b"', '"**", ["."], "a.b"', '"a:*:c", [":"], "a:x:y:c"',
                   '"arn:aws:iam::*:role/x", [":"], "arn:aws:iam::1:2:role/x"', '"/api/v1**", ["/"], "/api/v1/a/b"',
                   '"{a,b}*", null, "bc"', '"[!a]?", null, "bc"', '"/a/*", ["/"], "/a/b\\u0000"', '"*.a", null, "b.a"'],
    "glob.quote_meta": ['"*.a[b]{c,d}?\\\\"'],
    "graph.reachable": [GRAPH + ', {"a"}'],
    "graph.reachable_paths": [GRAPH + ', {"a"}', '{"a": ["b"], "b": []}, {"a"}'],
    "graphql.is_valid": ['"query { a }", "type Query { a: Int }"'],
    "graphql.parse": ['"query { a }", "type Query { a: Int }"'],
    "graphql.parse_and_verify": ['"query { a }", "type Query { a: Int }"'],
    "graphql.parse_query": ['"query { a }"'],
    "graphql.parse_schema": ['"type Query { a: Int }"'],
    "graphql.schema_is_valid": ['"type Query { a: Int }"'],
    "hex.decode": ['"6162"', '"616"', '"AbCd"'],
    "hex.encode": ['"ab"'],
    "indexof": ['"éab", "b"', '"a", "b"'],
    "indexof_n": ['"abab", "b"', '"aaa", "aa"'],
    "intersection": ["{{1, 2}, {2, 3}}"],
    "io.jwt.decode": [TOKEN],
    "io.jwt.decode_verify": [TOKEN + ', {"secret": "k", "alg": "HS256"}', TOKEN + ', {"secret": "k", "time": 1}'],
    **{"io.jwt.verify_" + alg: [TOKEN + ', "k"'] for alg in (
        "eddsa", "es256", "es384", "es512", "hs256", "hs384", "hs512", "ps256", "ps384", "ps512", "rs256", "rs384", "rs512")},
    **{"is_" + kind: ["[1]", '{"a"}', '{"a": 1}'] for kind in (
        "array", "boolean", "null", "number", "object", "set", "string")},
    "json.filter": ['{"a": {"b": 1, "c": 2}}, ["a/b"]', '{"a": [1, 2]}, {["a", 1]}', '{"a/b": 1}, ["a~1b"]'],
    "json.is_valid": ['"{}"', '"{"', '"1 2"'],
    "json.marshal": ['{"a": [1, "<é>"]}', "{1, 2}", "{1: 2}", "1e3", "1.0"],
    "json.marshal_with_options": ['{"a": 1}, {"pretty": true}', '[1], {"prefix": "x", "indent": "  "}'],
    "json.match_schema": ['{"a": 1}, ' + SCHEMA, '{"a": "x"}, ' + SCHEMA, '"{}", ' + SCHEMA],
    "json.patch": ['{"a": 1}, [{"op": "add", "path": "/b", "value": 2}]', '{"a": [1]}, [{"op": "remove", "path": "/a/0"}]',
                   '{"a": 1}, [{"op": "test", "path": "/a", "value": 2}]', '{"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}]'],
    "json.remove": ['{"a": {"b": 1, "c": 2}}, ["a/b"]', '{"a": [1, 2]}, ["a/0"]'],
    "json.unmarshal": ['"{\\"a\\": 1.0}"', '"1 2"', '"[1e2]"'],
    "json.verify_schema": [SCHEMA, '{"type": 1}'],
    "lower": ['"AÉİ"'],
    "max": ["[1, 3, 2]", '[1, "a"]', "{1, 2}"],
    "min": ["[1, 3, 2]", '[1, "a"]', "{1, 2}"],
    "net.cidr_contains": ['"10.0.0.0/8", "10.1.2.3"', '"10.0.0.0/8", "::ffff:10.1.2.3"', '"10.0.0.0/8", "10.1.0.0/16"',
                          '"2001:db8::/32", "2001:db8::1"', '"10.1.2.3/8", "10.9.9.9"', '"10.0.0.0/8", "010.0.0.1"'],
    "net.cidr_contains_matches": ['"10.0.0.0/8", "10.1.2.3"', '["10.0.0.0/8", "11.0.0.0/8"], {"10.1.1.1", "12.0.0.1"}',
                                  '{"a": "10.0.0.0/8"}, [["10.0.0.1", "x"]]'],
    "net.cidr_expand": ['"10.0.0.0/30"'],
    "net.cidr_intersects": ['"10.0.0.0/8", "10.1.0.0/16"', '"10.0.0.0/8", "11.0.0.0/8"'],
    "net.cidr_is_valid": ['"10.0.0.0/8"', '"10.0.0.1"', '"10.0.0.0/33"'],
    "net.cidr_merge": ['["10.0.0.0/9", "10.128.0.0/9"]', '{"10.0.0.1", "10.0.0.2"}'],
    "numbers.range": ["1, 4", "4, 1", "-2, 2", "0, 0"],
    "numbers.range_step": ["1, 6, 2", "6, 1, 2", "1, 6, 0"],
    "object.filter": ['{"a": 1, "b": 2}, ["a"]', '{"a": 1, "b": 2}, {"a": 7}'],
    "object.get": ['{"a": {"b": 1}}, "a", 0', '{"a": {"b": 1}}, ["a", "b"], 0', '{"a": 1}, ["x"], {"d"}', '{"a": 1}, [], 0'],
    "object.keys": ['{"a": 1, 2: 3}'],
    "object.remove": ['{"a": 1, "b": 2}, {"a"}'],
    "object.subset": ['{"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}', "{1, 2}, {1}", "[1, 2, 3], [2, 3]", "[1, 2], {1}", "[1], []"],
    "object.union": ['{"a": {"b": 1}}, {"a": {"c": 2}}'],
    "object.union_n": ['[{"a": 1}, {"a": {"b": 2}}, {"c": 3}]'],
    "product": ["[2, 3]", "{2, 3}", "[1.5, 2]"],
    "regex.find_all_string_submatch_n": ['"a(b*)", "abb ab", -1', '"(x)?a", "a", 1'],
    "regex.find_n": ['"a.", "ab ac", 1', '"a*", "baac", -1', '"\\\\d+", "١٢ 34", -1'],
    "regex.globs_match": ['"a*", "ab*"', '"[a-c]+", "[c-e]"', '"a.b", "xyz"'],
    "regex.is_valid": ['"a+"', '"("', '"(?=a)"', '"\\\\pL"'],
    "regex.match": ['"^a+$", "aa"', '"^\\\\d+$", "١٢٣"', '"^\\\\w+$", "é"', '"^\\\\s$", "\\u00a0"', '"^\\\\w{1,10}$", "abc"',
                    '"^[a-z]{1,1000}$", "abc"', '"^[\\\\w-]{1,63}$", "a-b"', '"(?i)^ſ$", "S"', '"a$", "a\\n"', '"\\\\bé", "é"', '"[[:alpha:]]", "é"'],
    "regex.replace": ['"abab", "a(b)", "$1x"', '"abc", "(?P<n>b)", "[${n}]"', '"a", "a", "$$"'],
    "regex.split": ['",", "a,b,,c"', '"", "abc"', '"x*", "axb"'],
    "regex.template_match": ['"urn:{[a-z]+}:x", "urn:abc:x", "{", "}"'],
    "replace": ['"abab", "a", "x"', '"ab", "", "-"'],
    "round": ["1.5", "-1.5", "2.5"],
    "semver.compare": ['"1.2.3", "1.10.0"', '"1.0.0-a", "1.0.0"', '"1.0.0+a", "1.0.0+b"', '"v1.0.0", "1.0.0"'],
    "semver.is_valid": ['"1.2.3"', '"v1.0.0"', '"1.2"', '"1.0.0-01"'],
    "sort": ["[3, 1, 2]", '{"b", "a"}', '[1, "a", null, [1], {"a": 1}, true]'],
    "split": ['"a,b", ","', '"aé", ""', '"", ","'],
    "sprintf": ['"%s %d %v", ["a", 1, [1]]', '"%5.2f|%x|%05d", [1.234, 255, 7]', '"%d", [1.5]', '"%s", [1]', '"%v", []', '"%q", ["a"]',
                '"%v %v", [{1, 2}, {"a": null}]', '"%", []', '"%e", [1.5]', '"%.2f", [1]', '"%t", [true]', '"a", [1]', '"%-5s|", ["a"]', '"%%", []'],
    "startswith": ['"abc", "ab"'],
    "strings.any_prefix_match": ['["a", "b"], {"bc", "b"}', '"abc", "ab"'],
    "strings.any_suffix_match": ['["a", "b"], {"bc", "b"}', '"abc", "bc"'],
    "strings.count": ['"abab", "ab"', '"cccc", "cc"', '"abc", ""'],
    "strings.render_template": ['"a {{.x}}", {"x": 1}', '"{{range .l}}{{.}},{{end}}", {"l": [1, 2]}', '"{{.y}}", {"x": 1}'],
    "strings.replace_n": ['{"a": "b", "b": "c"}, "ab"', '{"": "x"}, "ab"', '{"ab": "1", "a": "2"}, "aab"'],
    "strings.reverse": ['"aé"'],
    "strings.split_n": ['"a,b,c", ",", 2', '"a,b,c", ",", -1', '"abc", "", 2'],
    "substring": ['"abcé", 1, 2', '"abc", 1, -1', '"abc", 5, 1', '"abc", -1, 1'],
    "sum": ["[1, 2.5]", "{1, 2}", "[0.1, 0.2]"],
    "time.add_date": [DAY + ", 1, 1, 1", DAY + ", 0, 1, 30", DAY + ", 0, -13, 0"],
    "time.clock": [DAY, "[%s, \"Europe/Berlin\"]" % DAY],
    "time.date": [DAY, "[%s, \"America/New_York\"]" % DAY],
    "time.diff": [DAY + ", 1700000000000000000", "1700000000000000000, " + DAY],
    "time.format": [DAY, '[%s, "Europe/Berlin", "RFC1123"]' % DAY, '[%s, "UTC", "2006-01-02 15:04:05.000 MST"]' % DAY, '[%s, "America/New_York"]' % DAY],
    "time.parse_duration_ns": ['"1h30m"', '"-1.5s"', '"1d"', '"10us"'],
    "time.parse_ns": ['"2006-01-02", "2026-01-01"', '"RFC3339", "2026-01-01T00:00:00Z"', '"weird", "2026"', '"02 Jan 06 15:04 MST", "01 Jan 26 00:00 UTC"'],
    "time.parse_rfc3339_ns": ['"2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00.123456789+02:00"', '"2026-02-30T00:00:00Z"', '"2026-01-01t00:00:00z"'],
    "time.weekday": [DAY, "[%s, \"Asia/Tokyo\"]" % DAY],
    "to_number": ['"1.5"', '" 1"', '"0x10"', '"1e2"', '"+1"', "null", "true", '"1_0"', '"Inf"'],
    "trim": ['"xaxx", "x"'],
    "trim_left": ['"xax", "x"'],
    "trim_prefix": ['"xxa", "x"'],
    "trim_right": ['"xax", "x"'],
    "trim_space": ['" \\t a\\n"', '"\\u00a0a"'],
    "trim_suffix": ['"axx", "x"'],
    "type_name": ["1", "null", "{1}"],
    "union": ["{{1}, {2}}"],
    "units.parse": ['"10K"', '"1.5Mi"', '"10m"', '"1E2"'],
    "units.parse_bytes": ['"10K"', '"1.5Mi"', '"10KiB"', '"10 KB"'],
    "upper": ['"aßé"'],
    "uri.is_valid": ['"https://a.test/b?c#d"', '"a b"', '"//a"', '"%"'],
    "uri.parse": ['"https://u:p@a.test:8443/b%20c?d=1&d=2#f"', '"/a"', '"mailto:a@b"', '"http://[::1]:80/"'],
    "urlquery.decode": ['"a%20b+c"', '"%"', '"%zz"'],
    "urlquery.decode_object": ['"a=1&b=2&a=3"', '"a;b"', '"a"'],
    "urlquery.encode": ['"a b&é/~*"'],
    "urlquery.encode_object": ['{"a": "1", "b": ["2", "3"]}', '{"a": {"x", "y"}}'],
    "uuid.parse": ['"00000000-0000-1000-8000-000000000000"', '"x"', '"urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"'],
    "walk": [],  # a relation: the compliance cases have it
    "yaml.is_valid": ['"a: 1"', '"a: [1"'],
    "yaml.marshal": ['{"a": [1, "x"]}', '"yes"'],
    "yaml.unmarshal": ['"a: yes"', '"- 1\\n- x"', '"a: 2026-01-01"', '"a: 0o17"'],
}

# Edges of a type, and one value of each other type.
EDGES = {
    "string": ['""', '"A"', '" "', '"é"', '"١"', '"ß\\u0000"', '"a,b"', '"[*"'],
    "number": ["0", "-1", "1.5", "2", "1e3", "9007199254740993", "123456789012345678901"],
    "array": ["[]", "[null]", '["b", "a"]', "[[1], {1}]"],
    "set": ["set()", '{"a"}', "{1, [2]}"],
    "object": ["{}", '{"a": null}', '{"a": {"b": [1]}}', "{1: 2}"],
    "boolean": ["true", "false"],
    "null": ["null"],
}


def split_arguments(text):
    """The arguments of a list; what stands in brackets or quotes is not cut."""
    parts, depth, start, in_text, i = [], 0, 0, False, 0
    while i < len(text):
        c = text[i]
        if in_text:
            i += c == "\\"
            in_text = c != '"'
        elif c == '"':
            in_text = True
        elif c in "[{(":
            depth += 1
        elif c in ")}]":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
        i += 1
    return parts + [text[start:].strip()] if text else parts


def kind(term):
    if term[0] == '"':
        return "string"
    if term[0] == "[":
        return "array"
    if term in ("true", "false", "null"):
        return "null" if term == "null" else "boolean"
    if term == "set()":
        return "set"
    if term[0] == "{":
        first = split_arguments(term[1:-1])
        return "object" if not first or re.match(r'("(\\.|[^"\\])*"|[^"{\[]*?)\s*:', first[0]) else "set"
    return "number"


def variations(arguments):
    for position, argument in enumerate(arguments):
        own = kind(argument)
        others = [edges[-1] for other, edges in EDGES.items() if other != own]
        for edge in EDGES[own] + others:
            yield arguments[:position] + [edge] + arguments[position + 1:]


def calls(known):
    """`{name: [(expression, input or None)]}` for all of OPA's builtins."""
    names = {b["name"] for b in known if not b.get("infix")}
    missing = names - set(CALLS) - set(NOT_CALLED) - DEPRECATED
    extra = set(CALLS) - names
    if missing or extra:
        raise SystemExit("the table of builtins lacks %s and has too much %s" % (sorted(missing), sorted(extra)))
    found = {}
    for name, lists in CALLS.items():
        lists = [split_arguments(text) for text in lists]
        if lists and name not in NOT_VARIED:
            lists += variations(lists[0])
        unique = {", ".join(arguments): arguments for arguments in lists}
        # Through the input, whose types no compiler knows.
        found[name] = [
            ("%s(%s)" % (name, ", ".join("input[%d]" % i for i in range(len(arguments)))), "[%s]" % text)
            for text, arguments in unique.items()
        ]
    return found
