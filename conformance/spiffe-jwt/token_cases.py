"""Cases about the token: its form, header, subject, audience and times."""

from keys import Ec, b64, compact, token

NOW = 1800000000  # 2027-01-15T08:00:00Z
US = "spiffe://prod.example/ns/shop/sa/orders"
WEB = "spiffe://prod.example/ns/shop/sa/web"
ONE = Ec("one")


def claims(**more):
    """The claims of a good token; a claim that is `...` is left out. It expires in 2100, so that another
    verifier, which asks the clock, can be held against the cases that are not about time."""
    all_claims = {"sub": WEB, "aud": [US], "exp": 4102444800, "iat": NOW - 60} | more
    return {name: value for name, value in all_claims.items() if value is not ...}


def case(name, section, rule, text, expected, bundles=None, audience=None, time=None):
    """`expected` is an ID or a reason."""
    kind = "expected_id" if expected.startswith("spiffe:") else "expected_reason"
    bundles = {"prod.example": {"keys": [ONE.jwk()]}} if bundles is None else bundles
    return {"id": name, "rule": rule, "section": section, "token": text, "bundles": bundles,
            "audience": [US] if audience is None else audience,
            "time": time or "2027-01-15T08:00:00Z", kind: expected}


def form():
    section, rule = "RFC 7515 §3.1", "A token is three parts of base64url with dots between them."
    good = token(ONE, claims())
    header, payload, signature = good.split(".")
    flattened = compact({"payload": payload, "protected": header, "signature": signature})
    yield case("a good token", section, rule, good, WEB)
    for name, text in {
        "an empty text": "",
        "one part": header,
        "two parts": f"{header}.{payload}",
        "a dot at the end": good + ".",
        "a dot at the beginning": "." + good,
        "two dots together": f"{header}..{payload}.{signature}",
        "five parts, as an encrypted token has": good + "." + signature + "." + payload,
        "the flattened JSON serialisation": flattened,
        "the general JSON serialisation": compact(
            {"payload": payload, "signatures": [{"protected": header, "signature": signature}]}),
        "a dot as an escape of a URL": good.replace(".", "%2e"),
    }.items():
        yield case(name, section, rule, text, "jwt.not_compact")
    for name, text in {
        "a detached payload": f"{header}..{signature}",
        "an empty header": f".{payload}.{signature}",
    }.items():
        yield case(name, section, rule, text, "jwt.malformed")
    section, rule = "RFC 7515 §2", "Each part is base64url without padding, spaces or spare bits."
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = signature[:-1] + last[last.index(signature[-1]) + 1]
    # A payload of a length that leaves spare bits, and the same with one of them set.
    odd = token(ONE, compact(claims()) + " " * (-len(compact(claims())) % 3 + 1))
    odd_parts = odd.split(".")
    odd_spare = odd_parts[1][:-1] + last[last.index(odd_parts[1][-1]) + 1]
    standard = next(t for t in (token(ONE, claims(jti=str(i))) for i in range(99))
                    if "-" in t.split(".")[2] and "_" in t.split(".")[2])
    for name, text in {
        "padding after the signature": good + "==",
        "padding after the header": f"{header}==.{payload}.{signature}",
        "a space before": " " + good,
        "a space after": good + " ",
        "a line end": good + "\n",
        "a line break within": f"{header}.{payload[:20]}\r\n{payload[20:]}.{signature}",
        "a NUL within": f"{header}.{payload[:20]}\0{payload[20:]}.{signature}",
        "the scheme of the header field": "Bearer " + good,
        "the other alphabet": standard.replace("-", "+").replace("_", "/"),
        "a letter beyond ASCII": f"{header}.{payload}é.{signature}",
        "a signature of an impossible length": f"{header}.{payload}.{signature[:-1]}",
        "a spare bit of the signature": f"{header}.{payload}.{spare}",
        "a spare bit of the claims": f"{odd_parts[0]}.{odd_spare}.{odd_parts[2]}",
    }.items():
        yield case(name, section, rule, text, "jwt.base64")
    yield case("the signature with both letters of base64url", section, rule, standard, WEB)
    yield case("claims with spare bits that are zero", section, rule, odd, WEB)
    rule = "What is read before anything is proven is bounded: 16384 bytes."
    room = 16384 - len(token(ONE, claims(pad="")))
    largest = token(ONE, claims(pad="p" * (room * 3 // 4)))
    yield case("a token that is nearly too long", "portreeve", rule, largest, WEB)
    yield case("a token that is too long", "portreeve", rule,
               token(ONE, claims(pad="p" * room)), "jwt.too_large")


def headers():
    section, rule = "JWT-SVID §2", "The header has `alg`, `kid` and `typ` and no other member."

    def of(header):
        return token(ONE, claims(), header=header)

    base = {"alg": "ES256", "kid": "one", "typ": "JWT"}
    yield case("only the algorithm and the key", section, rule,
               of({"alg": "ES256", "kid": "one"}), WEB)
    yield case("the members in another order", section, rule,
               of({"typ": "JWT", "kid": "one", "alg": "ES256"}), WEB)
    for name, value in {
        "crit": ["exp"], "b64": False, "jku": "https://prod.example/keys", "jwk": ONE.jwk(),
        "x5u": "https://prod.example/chain", "x5c": ["AAAA"], "x5t": "AAAA", "x5t#S256": "AAAA",
        "cty": "JWT", "zip": "DEF", "enc": "A256GCM", "iss": WEB, "nonce": "1", "ALG": "ES256",
    }.items():
        yield case(f"a header with {name}", section, rule, of(base | {name: value}),
                   "jwt.header_member")
    section, rule = "JWT-SVID §2.1", "`alg` is one of the nine of RFC 7518, letter by letter."
    for name in ["none", "None", "nOnE", "NONE", "", "HS256", "HS384", "HS512", "es256", "ES256 ",
                 "ES256K", "EdDSA", "Ed25519", "RS1", "RSA-OAEP", "dir", "ES521", "ML-DSA-44"]:
        yield case(f"the algorithm `{name}`", section, rule, of(base | {"alg": name}),
                   "jwt.algorithm")
    signed = b64('{"alg":"none","kid":"one"}') + "." + b64(compact(claims()))
    yield case("an unsecured token", section, rule, signed + ".", "jwt.algorithm")
    yield case("no algorithm", section, rule, of({"kid": "one"}), "jwt.algorithm")
    for name, value in {"null": None, "a list": ["ES256"], "a number": 256}.items():
        yield case(f"the algorithm is {name}", section, rule, of(base | {"alg": value}),
                   "jwt.header_type")
    section, rule = "JWT-SVID §2.3", "`typ`, if given, is `JWT` or `JOSE`."
    yield case("the type JOSE", section, rule, of(base | {"typ": "JOSE"}), WEB)
    for name in ["wit+jwt", "at+jwt", "jwt", "Jwt", "JWT ", "application/jwt", "", "dpop+jwt"]:
        yield case(f"the type `{name}`", section, rule, of(base | {"typ": name}), "jwt.type")
    yield case("the type is null", section, rule, of(base | {"typ": None}), "jwt.header_type")
    section, rule = "RFC 7515 §4", "The header is one JSON object without a member twice."
    for name, text in {
        "an array as header": '["ES256"]', "a text as header": '"ES256"', "a header that is cut":
        '{"alg":"ES256"', "a header and more": '{"alg":"ES256","kid":"one"}{}', "a header with a comment":
        '{"alg":"ES256","kid":"one"/**/}', "a header with a comma too many":
        '{"alg":"ES256","kid":"one",}', "a header with a byte order mark":
        '\ufeff{"alg":"ES256","kid":"one"}',
    }.items():
        yield case(name, section, rule, of(text), "jwt.malformed")
    yield case("a header that is not UTF-8", section, rule,
               of(b'{"alg":"ES256","kid":"\xff"}'), "jwt.malformed")
    for name, text in {
        "the algorithm twice": '{"alg":"none","alg":"ES256","kid":"one"}',
        "the key twice": '{"alg":"ES256","kid":"two","kid":"one"}',
        "a member twice by an escape": '{"alg":"ES256","kid":"one","\\u0061lg":"none"}',
    }.items():
        yield case(name, section, rule, of(text), "jwt.duplicate_member")
    yield case("a member named by an escape", section, rule,
               of('{"\\u0061lg":"ES256","kid":"one"}'), WEB)
    rule = "What is read before anything is proven is bounded: a header of 1024 bytes."
    yield case("a header that is too long", "portreeve", rule,
               of(base | {"kid": "k" * 1024}), "jwt.too_large")
    yield case("a header that is nested deep", "portreeve", rule,
               of('{"alg":"ES256","kid":' + "[" * 200 + "]" * 200 + "}"), "jwt.too_deep")


def subjects():
    section, rule = "JWT-SVID §3.1", "`sub` is the canonical SPIFFE ID of a workload."
    for name, sub in {
        "a subject of one segment": "spiffe://prod.example/a",
        "a subject with every kind of letter": "spiffe://prod.example/A-Za_z.0/9",
        "a subject with three dots": "spiffe://prod.example/...",
    }.items():
        yield case(name, section, rule, token(ONE, claims(sub=sub)), sub)
    yield case("no subject", section, rule, token(ONE, claims(sub=...)), "jwt.no_subject")
    yield case("the subject's name in another case", section, rule,
               token(ONE, claims(sub=...) | {"Sub": WEB}), "jwt.no_subject")
    for name, sub in {"null": None, "a list": [WEB], "a number": 7, "an object": {"id": WEB}}.items():
        yield case(f"the subject is {name}", section, rule, token(ONE, claims(sub=sub)),
                   "jwt.claim_type")
    for name, sub in {
        "an empty subject": "", "a subject that is a name": "web",
        "a subject of another scheme": "https://prod.example/web",
        "a scheme in upper case": "SPIFFE://prod.example/web",
        "a trust domain in upper case": "spiffe://Prod.example/web",
        "a subject without trust domain": "spiffe:///web",
        "a subject with a port": "spiffe://prod.example:443/web",
        "a subject with a user": "spiffe://user@prod.example/web",
        "a subject with a query": "spiffe://prod.example/web?a", "a subject with a fragment":
        "spiffe://prod.example/web#a", "a percent encoding": "spiffe://prod.example/%77eb",
        "a slash at the end": "spiffe://prod.example/web/", "an empty segment":
        "spiffe://prod.example//web", "a dot segment": "spiffe://prod.example/./web",
        "a segment of two dots": "spiffe://prod.example/a/../web", "a space after the subject":
        WEB + " ", "a NUL in the subject": WEB + "\0", "a letter beyond ASCII in the subject":
        "spiffe://prod.example/wéb", "a subject that is too long":
        "spiffe://prod.example/" + "a" * 2048,
    }.items():
        yield case(name, section, rule, token(ONE, claims(sub=sub)), "jwt.noncanonical_subject")
    for name, sub in {"the ID of the trust domain": "spiffe://prod.example"}.items():
        yield case(name, section, rule, token(ONE, claims(sub=sub)), "jwt.root_path")
    section, rule = "RFC 7519 §4", "The claims are one JSON object without a member twice."
    good = compact(claims())[1:-1]
    for name, text in {
        "the subject twice": f'{{"sub":"spiffe://prod.example/admin",{good}}}',
        "a claim twice by an escape": f'{{{good},"\\u0073ub":"spiffe://prod.example/admin"}}',
        "the expiry twice": f'{{{good},"exp":9999999999}}',
        "a member twice within a claim": f'{{{good},"a":[{{"b":{{"c":1,"c":2}}}}]}}',
    }.items():
        yield case(name, section, rule, token(ONE, text), "jwt.duplicate_member")
    for name, text in {
        "claims that are a list": "[]", "claims that are a text": '"a"', "claims that are null": "null",
        "claims that are cut": "{" + good, "claims and more": "{" + good + "}x",
        "claims with a comma too many": "{" + good + ",}", "claims with a lone surrogate":
        "{" + good + ',"a":"\\ud800"}', "claims with a raw line end": "{" + good + ',"a":"\n"}',
        "claims with NaN": "{" + good + ',"a":NaN}', "claims with a number that is too large":
        "{" + good + ',"a":1e999}', "claims in single quotes": "{'sub':'" + WEB + "'}",
        "claims that are not UTF-8": ("{" + good + ',"a":"').encode() + b'\xc3\x28"}',
        "claims with an overlong letter": ("{" + good + ',"a":"').encode() + b'\xc0\xaf"}',
        "claims that are a token": token(ONE, claims()),
    }.items():
        yield case(name, section, rule, token(ONE, text), "jwt.malformed")
    yield case("claims with spaces around", section, rule, token(ONE, " {" + good + "}\n"), WEB)
    yield case("claims of other makers", section, rule,
               token(ONE, claims(iss="https://idp.example", groups=["a"], a={"b": [1.5, None]})), WEB)
    rule = "What is read before anything is proven is bounded: 16 levels of JSON."
    yield case("claims of sixteen levels", "portreeve", rule,
               token(ONE, "{" + good + ',"a":' + "[" * 15 + "]" * 15 + "}"), WEB)
    for levels in (16, 5000):
        yield case(f"claims of {levels + 1} levels", "portreeve", rule,
                   token(ONE, "{" + good + ',"a":' + "[" * levels + "]" * levels + "}"),
                   "jwt.too_deep")


def audiences():
    section, rule = "JWT-SVID §3.2", "`aud` is given and one of its values is ours, letter by letter."
    for name, aud in {
        "our audience as a text": US, "our audience alone": [US], "our audience among others":
        ["spiffe://prod.example/other", US], "our audience twice": [US, US],
    }.items():
        yield case(name, section, rule, token(ONE, claims(aud=aud)), WEB)
    for name, aud in {
        "another audience": "spiffe://prod.example/other", "other audiences":
        ["spiffe://prod.example/other", "spiffe://prod.example"], "an audience with more":
        US + "/x", "the beginning of our audience": US[:-1], "our audience in upper case":
        US.upper(), "our audience and a space": US + " ", "a wildcard": "*", "an empty audience": "",
        "our audiences in one text": f"{US},{US}",
    }.items():
        yield case(name, section, rule, token(ONE, claims(aud=aud)), "jwt.audience")
    for name, aud in {"no audience": ..., "an empty list of audiences": []}.items():
        yield case(name, section, rule, token(ONE, claims(aud=aud)), "jwt.no_audience")
    for name, aud in {
        "the audience is null": None, "the audience is a number": 7, "the audience is an object":
        {US: True}, "an audience that is no text": [US, 7], "a list in the list": [[US]],
    }.items():
        yield case(name, section, rule, token(ONE, claims(aud=aud)), "jwt.claim_type")
    for name, ours, expected in [
        ("the second of our audiences", ["other", US], WEB),
        ("none of our audiences", ["other", "third"], "jwt.audience"),
        ("no audience of our own", [], "jwt.audience"),
    ]:
        yield case(name, section, rule, token(ONE, claims()), expected, audience=ours)


def times():
    section, rule = "JWT-SVID §3.3", "`exp` is given and is still to come, but for 5 s of leeway."
    for name, exp, expected in [
        ("expires in a second", NOW + 1, WEB), ("expires now, within the leeway", NOW, WEB),
        ("expired four seconds ago, within the leeway", NOW - 4, WEB),
        ("expired five seconds ago", NOW - 5, "jwt.expired"),
        ("expired a year ago", NOW - 31536000, "jwt.expired"),
        ("expires at a fraction within the leeway", NOW - 4.5, WEB),
        ("expired at a fraction of a second", NOW - 5.5, "jwt.expired"),
        ("expires at zero", 0, "jwt.expired"), ("expires before 1970", -1, "jwt.expired"),
        ("expires at the end of the year 9999", 253402300799, WEB),
        ("expires in the year 10000", 253402300800, "jwt.date"),
        ("expires at 2^63", 2**63, "jwt.date"), ("expires at 2^64", 2**64, "jwt.date"),
        ("expires in microseconds", NOW * 1000000, "jwt.date"),
        ("no expiry", ..., "jwt.no_expiry"), ("the expiry is null", None, "jwt.claim_type"),
        ("the expiry is a text", str(NOW + 300), "jwt.claim_type"),
        ("the expiry is true", True, "jwt.claim_type"),
        ("the expiry is a list", [NOW + 300], "jwt.claim_type"),
    ]:
        yield case(name, section, rule, token(ONE, claims(exp=exp)), expected)
    good = compact(claims(exp=...))[1:-1]
    for name, number, expected in [
        ("the expiry in another notation", "1.8000003e9", WEB),
        ("the expiry with a fraction of zero", "1800000300.0", WEB),
        ("the expiry at 1e300", "1e300", "jwt.date"), ("the expiry at minus 1e300", "-1e300", "jwt.date"),
        ("the expiry at minus zero", "-0", "jwt.expired"), ("the expiry in base sixteen", "0x6b49d380", "jwt.malformed"),
        ("the expiry with a zero before", "01800000300", "jwt.malformed"), ("the expiry with a plus", "+1800000300", "jwt.malformed"),
    ]:
        yield case(name, "RFC 7519 §2", "A NumericDate is a JSON number of seconds.",
                   token(ONE, f'{{{good},"exp":{number}}}'), expected)
    for claim, reason, section, rule in [
        ("nbf", "jwt.not_yet_valid", "RFC 7519 §4.1.5", "`nbf`, if given, has come."),
        ("iat", "jwt.issued_in_future", "RFC 7519 §4.1.6", "`iat`, if given, has come."),
    ]:
        for name, value, expected in [
            ("an hour ago", NOW - 3600, WEB), ("now", NOW, WEB), ("absent", ..., WEB),
            ("in five seconds, within the leeway", NOW + 5, WEB),
            ("in six seconds", NOW + 6, reason), ("in a fraction over five seconds", NOW + 5.5, reason),
            ("after the expiry", NOW + 4000, reason), ("null", None, "jwt.claim_type"),
            ("a text", str(NOW), "jwt.claim_type"), ("in the year 10000", 253402300800, "jwt.date"),
        ]:
            yield case(f"{claim} {name}", section, rule, token(ONE, claims(**{claim: value})), expected)
    rule = "The time of the check counts and no other."
    soon = token(ONE, claims(exp=NOW + 300))
    yield case("the last microsecond of the leeway", "JWT-SVID §3.3", rule, soon, WEB,
               time="2027-01-15T08:05:04.999999Z")
    yield case("the first after it", "JWT-SVID §3.3", rule, soon, "jwt.expired",
               time="2027-01-15T08:05:05Z")
    yield case("a time before the token was issued", "RFC 7519 §4.1.6", rule, soon,
               "jwt.issued_in_future", time="2027-01-15T07:58:54Z")
