"""Cases about keys: which bundle, which entry of it, and whether the signature is that key's."""

import hashlib
import hmac

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keys import DIGEST_INFO, Ec, Rsa, b64, compact, octets, roca_prime, token
from token_cases import ONE, US, WEB, case, claims

TWO = Ec("two")
P384, P521 = Ec("p384", "P-384"), Ec("p521", "P-521")
RSA = Rsa("rsa")
CUBE = Rsa("rsa of exponent three", e=3)
SMALL, SHORT = Rsa("rsa of 1024 bits", 1024), Rsa("rsa of 2047 bits", 2047)
WEAK = Rsa("rsa of a broken generator", prime=roca_prime)


def bundle(*keys):
    return {"prod.example": {"keys": list(keys)}}


def trust_domains():
    section, rule = "JWT-SVID §6.3", "The bundle of the subject's trust domain counts and no other."
    other = Ec("one of the other domain")
    mine = {"prod.example": {"keys": [ONE.jwk()]}}
    both = mine | {"other.example": {"keys": [other.jwk()]}}
    partner = "spiffe://other.example/web"
    for name, text, bundles, expected in [
        ("a caller of a federated domain", token(other, claims(sub=partner)), both, partner),
        ("a caller of our domain beside a federated one", token(ONE, claims()), both, WEB),
        ("a subject of ours signed by the federated domain", token(other, claims()), both,
         "jwt.unknown_key"),
        ("a subject of theirs signed by our domain", token(ONE, claims(sub=partner)), both,
         "jwt.unknown_key"),
        ("a subject of a domain without bundle", token(ONE, claims(sub=partner)), mine,
         "jwt.no_bundle"),
        ("a subject of a domain below ours", token(ONE, claims(sub="spiffe://a.prod.example/web")),
         mine, "jwt.no_bundle"),
        ("a subject of our domain with a dot",
         token(ONE, claims(sub="spiffe://prod.example./web")), mine, "jwt.no_bundle"),
        ("no bundle at all", token(ONE, claims()), {}, "jwt.no_bundle"),
        ("an issuer of ours does not help", token(ONE, claims(sub=partner, iss="prod.example")),
         mine, "jwt.no_bundle"),
    ]:
        yield case(name, section, rule, text, expected, bundles=bundles)
    same = Ec("one of the other domain")
    same.name = "one"
    yield case("a key of the federated domain under our key's name", section, rule,
               token(same, claims()), "jwt.signature",
               bundles=mine | {"other.example": {"keys": [same.jwk()]}})
    section, rule = "SPIFFE bundle §4.1.3", "A bundle without usable keys trusts nothing."
    raw = '{"keys":[' + compact(ONE.jwk()) + "]"
    for name, text in {
        "an empty bundle": {"keys": []}, "a bundle without keys": {"spiffe_sequence": 1},
        "keys that are an object": {"keys": ONE.jwk()}, "a single key for a bundle": ONE.jwk(),
        "a bundle that is no JSON": "keys", "a bundle that is empty": "", "a bundle that is a list":
        "[" + raw + "}]", "a bundle that is cut": raw, "a bundle and more": raw + "}{}",
        "a bundle with its keys twice": '{"keys":[],' + raw[1:] + "}",
        "a bundle with a key's number twice": raw.replace('"kty"', '"x":"AAAA","kty"') + "}",
    }.items():
        yield case(name, section, rule, token(ONE, claims()), "jwt.unknown_key",
                   bundles={"prod.example": text})
    for name, text in {
        "a bundle with its sequence and hint": {"keys": [ONE.jwk(use="jwt-svid")],
                                                "spiffe_sequence": 7, "spiffe_refresh_hint": 300},
        "a bundle with members that nobody knows": {"keys": [ONE.jwk(a=[{"b": 1}])], "a": {}},
        "a bundle with an entry that is no key": {"keys": [7, None, ONE.jwk()]},
    }.items():
        yield case(name, section, rule, token(ONE, claims()), WEB, bundles={"prod.example": text})


def entries():
    section, rule = "JWT-SVID §2.2", "`kid` names one key of the bundle, letter by letter."
    two = bundle(ONE.jwk(), TWO.jwk())
    no_kid = token(ONE, claims(), header={"alg": "ES256"})

    def named(kid):
        return token(ONE, claims(), header={"alg": "ES256", "kid": kid})

    yield case("one key of two", section, rule, token(TWO, claims()), WEB, bundles=two)
    yield case("the name of the other key", section, rule, named("two"), "jwt.signature", bundles=two)
    for kid in ["One", "one ", "", "../one", "one\0", "' OR 1=1 --", "https://prod.example/one", "*"]:
        yield case("the key `" + compact(kid).strip('"') + "`", section, rule, named(kid), "jwt.unknown_key")
    for name, kid in {"null": None, "a number": 1, "a list": ["one"]}.items():
        yield case(f"the key is {name}", section, rule, named(kid), "jwt.header_type")
    yield case("a key's name of 257 bytes", "portreeve", "A `kid` has at most 256 bytes.",
               named("k" * 257), "jwt.header_type")
    yield case("no key named, and one there", section, rule, no_kid, WEB)
    yield case("no key named, and another there", section, rule, no_kid, "jwt.signature",
               bundles=bundle(TWO.jwk()))
    yield case("no key named, and two there", section, rule, no_kid, "jwt.no_key_id", bundles=two)
    yield case("no key named, and one of two is of use", section, rule, no_kid, WEB,
               bundles=bundle(ONE.jwk(), TWO.jwk(use="x509-svid")))
    section, rule = "RFC 7517 §4.5", "Two keys of a bundle have not one `kid`."
    twin = TWO.jwk(kid="one")
    for name, keys, expected in [
        ("two keys of one name", [ONE.jwk(), twin], "jwt.unknown_key"),
        ("two keys of one name the other way round", [twin, ONE.jwk()], "jwt.unknown_key"),
        ("one key two times", [ONE.jwk(), ONE.jwk()], "jwt.unknown_key"),
        ("a broken key of the same name", [ONE.jwk(), ONE.jwk(crv="P-224")], "jwt.unknown_key"),
        ("a key of the same name for something else", [ONE.jwk(), twin | {"use": "x509-svid"}], WEB),
        ("two other keys of one name", [ONE.jwk(), TWO.jwk(), TWO.jwk()], WEB),
    ]:
        yield case(name, section, rule, token(ONE, claims()), expected, bundles=bundle(*keys))
    yield from uses()
    yield from numbers()


def uses():
    section, rule = "SPIFFE bundle §4.2", "An entry verifies what its `kty`, `use` and `alg` say."
    for name, more, expected in [
        ("an entry for JWT-SVIDs", {"use": "jwt-svid"}, WEB),
        ("an entry for signatures, as a plain key set has", {"use": "sig"}, WEB),
        ("an entry with its algorithm", {"alg": "ES256"}, WEB),
        ("an entry that verifies", {"key_ops": ["verify"]}, WEB),
        ("an entry that signs and verifies", {"key_ops": ["sign", "verify"]}, WEB),
        ("an entry for X.509-SVIDs", {"use": "x509-svid"}, "jwt.unknown_key"),
        ("an entry for WIT-SVIDs", {"use": "wit-svid"}, "jwt.unknown_key"),
        ("an entry for encryption", {"use": "enc"}, "jwt.unknown_key"),
        ("an entry whose use is in upper case", {"use": "JWT-SVID"}, "jwt.unknown_key"),
        ("an entry whose use is no text", {"use": ["jwt-svid"]}, "jwt.unknown_key"),
        ("an entry that only signs", {"key_ops": ["sign"]}, "jwt.unknown_key"),
        ("an entry that does nothing", {"key_ops": []}, "jwt.unknown_key"),
        ("an entry whose operations are a text", {"key_ops": "verify"}, "jwt.unknown_key"),
        ("an entry for another curve's algorithm", {"alg": "ES384"}, "jwt.unknown_key"),
        ("an entry for the algorithm of another type", {"alg": "RS256"}, "jwt.unknown_key"),
        ("an entry for an algorithm that nobody knows", {"alg": "ES256X"}, "jwt.unknown_key"),
        ("an entry for a secret's algorithm", {"alg": "HS256"}, "jwt.unknown_key"),
        ("an entry of a type that nobody knows", {"kty": "XX"}, "jwt.unknown_key"),
        ("an entry of the type in lower case", {"kty": "ec"}, "jwt.unknown_key"),
        ("an entry that is a secret", {"kty": "oct", "k": b64("secret")}, "jwt.unknown_key"),
        ("an entry with its private part", {"d": b64(b"1" * 32)}, "jwt.unknown_key"),
        ("an entry without name", {"kid": ""}, "jwt.unknown_key"),
        ("an entry whose name is a number", {"kid": 1}, "jwt.unknown_key"),
    ]:
        yield case(name, section, rule, token(ONE, claims()), expected,
                   bundles=bundle(ONE.jwk(**more)))


def numbers():
    section, rule = "RFC 7518 §6.2", "An EC key is a point on its curve, of full length."
    zero, high = b64(bytes(32)), b64(b"\xff" * 32)
    koblitz = Ec("one", "secp256k1")
    for name, jwk in {
        "a point off the curve": ONE.jwk(y=b64(ONE.x)), "the point at zero": ONE.jwk(x=zero, y=zero),
        "a coordinate beyond the field": ONE.jwk(x=high), "a coordinate that is shorter":
        ONE.jwk(x=b64(ONE.x[1:])), "a coordinate with a zero before": ONE.jwk(x=b64(b"\0" + ONE.x)),
        "a coordinate with padding": ONE.jwk(x=b64(ONE.x) + "="), "a coordinate that is a number":
        ONE.jwk(x=7), "a point of another curve": ONE.jwk(crv="P-384"), "a curve that is not of the list":
        koblitz.jwk(), "a curve of its other name": ONE.jwk(crv="secp256r1"),
        "a key without curve": {k: v for k, v in ONE.jwk().items() if k != "crv"},
        "a key with half a point": {k: v for k, v in ONE.jwk().items() if k != "y"},
    }.items():
        yield case(name, section, rule, token(ONE, claims()), "jwt.unknown_key", bundles=bundle(jwk))
    section, rule = "RFC 7518 §3.3", "An RSA key has 2048 bits or more, and sound numbers."
    for name, key, jwk, expected in [
        ("an RSA key of 2048 bits", RSA, RSA.jwk(), WEB),
        ("an RSA key of exponent three", CUBE, CUBE.jwk(), WEB),
        ("an RSA key of 1024 bits", SMALL, SMALL.jwk(), "jwt.unknown_key"),
        ("an RSA key of 2047 bits", SHORT, SHORT.jwk(), "jwt.unknown_key"),
        ("an RSA key of a broken generator", WEAK, WEAK.jwk(), "jwt.unknown_key"),
        ("an RSA key of exponent one", RSA, RSA.jwk(e="AQ"), "jwt.unknown_key"),
        ("an RSA key of an even exponent", RSA, RSA.jwk(e="AQAA"), "jwt.unknown_key"),
        ("an RSA key of an empty exponent", RSA, RSA.jwk(e=""), "jwt.unknown_key"),
        ("an RSA key of a huge exponent", RSA, RSA.jwk(e=b64(b"\1" * 64)), "jwt.unknown_key"),
        ("an RSA modulus with a zero before", RSA, RSA.jwk(n=b64(b"\0" + octets(RSA.n))),
         "jwt.unknown_key"),
        ("an RSA modulus that is even", RSA, RSA.jwk(n=b64(octets(RSA.n + 1))), "jwt.unknown_key"),
        ("an RSA modulus of 8200 bits", RSA, RSA.jwk(n=b64(b"\xff" * 1025)), "jwt.unknown_key"),
        ("an RSA key without modulus", RSA, {"kty": "RSA", "kid": "rsa", "e": "AQAB"},
         "jwt.unknown_key"),
    ]:
        yield case(name, section, rule, token(key, claims()), expected, bundles=bundle(jwk))


def algorithms():
    section, rule = "JWT-SVID §2.1", "Each of the nine algorithms, with a key of its type and curve."
    for key, names in [(ONE, ["ES256"]), (P384, ["ES384"]), (P521, ["ES512"]),
                       (RSA, ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])]:
        for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]:
            text = token(key, claims(), header={"alg": alg, "kid": key.name}, alg=names[0])
            if alg in names:
                yield case(f"{alg}", section, rule, token(key, claims(), alg=alg), WEB,
                           bundles=bundle(key.jwk()))
            else:
                yield case(f"{alg} with the key `{key.name}`", section, rule, text,
                           "jwt.key_algorithm", bundles=bundle(key.jwk()))
    rule = "An RSA key that names its algorithm verifies no other."
    for stated, alg, expected in [("RS256", "RS256", WEB), ("PS256", "PS256", WEB),
                                  ("PS256", "RS256", "jwt.key_algorithm"),
                                  ("RS256", "RS512", "jwt.key_algorithm"),
                                  ("RSA-OAEP", "RS256", "jwt.unknown_key")]:
        yield case(f"{alg} with a key for {stated}", "RFC 7517 §4.4", rule,
                   token(RSA, claims(), alg=alg), expected, bundles=bundle(RSA.jwk(alg=stated)))
    section, rule = "JWT-SVID §2.1", "A public key is never the secret of an HMAC."
    public = ONE.private.public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    secrets = {
        "the key as PEM": public.public_bytes(serialization.Encoding.PEM, spki),
        "the key as DER": public.public_bytes(serialization.Encoding.DER, spki),
        "the key as JWK": compact(ONE.jwk()).encode(), "nothing": b"",
    }
    for name, secret in secrets.items():
        signed = b64('{"alg":"HS256","kid":"one"}') + "." + b64(compact(claims()))
        tag = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        yield case(f"an HMAC with {name} as secret", section, rule, f"{signed}.{b64(tag)}",
                   "jwt.algorithm")


def signatures():
    section, rule = "RFC 7518 §3.4", "An ECDSA signature is r and s side by side, each of full length."
    header = {"alg": "ES256", "kid": "one"}
    signed = b64(compact(header)) + "." + b64(compact(claims()))
    r, s = ONE.pair(signed.encode())
    n, size = ONE.order, ONE.size

    def of(signature):
        return f"{signed}.{b64(signature)}"

    def pair(first, second):
        return octets(first, size) + octets(second, size)

    good = pair(r, s)
    yield case("r and s", section, rule, of(good), WEB)
    yield case("r and the other s, which whoever has the token can make", section, rule,
               of(pair(r, n - s)), WEB)
    for name, signature in {
        "no signature": b"", "zero and zero": bytes(64), "zero and s": pair(0, s), "r and zero":
        pair(r, 0), "the order and s": pair(n, s), "r and the order": pair(r, n), "r and s swapped":
        pair(s, r), "one and one": pair(1, 1), "all bits": b"\xff" * 64, "r and s plus the order":
        pair(r, (s + n) % 2**256), "DER": encode_dss_signature(r, s), "a byte less": good[:-1],
        "a byte more": good + b"\0", "a zero before": b"\0" + good, "half of it": good[:32],
        "it two times": good + good, "three zeros": bytes(3), "a bit turned": good[:-1] + octets(good[-1] ^ 1, 1),
        "r and s of full length for P-384": octets(r, 48) + octets(s, 48),
    }.items():
        yield case(f"ECDSA: {name}", section, rule, of(signature), "jwt.signature")
    short = next(t for t in (claims(jti=str(i)) for i in range(4096))
                 if ONE.sign((b64(compact(header)) + "." + b64(compact(t))).encode())[0] == 0)
    text = token(ONE, short, header=header)
    yield case("ECDSA: an r that begins with a zero", section, rule, text, WEB)
    head, _, full = text.rpartition(".")
    stripped = ONE.sign(head.encode())[1:]
    yield case("ECDSA: an r without its zero", section, rule, f"{head}.{b64(stripped)}", "jwt.signature")
    rule = "The signature is of these bytes by this key."
    other = token(TWO, claims(), header=header)
    yield case("ECDSA: by another key", "RFC 7515 §5.2", rule, other, "jwt.signature")
    admin = claims(sub="spiffe://prod.example/ns/shop/sa/admin")
    for name, text in {
        "other claims": signed.split(".")[0] + "." + b64(compact(admin)) + "." + b64(good),
        "another header": b64(compact(header | {"typ": "JWT"})) + "." + signed.split(".")[1] + "." + b64(good),
        "the same claims spelled otherwise": signed.split(".")[0] + "." + b64(compact(claims()) + " ") + "." + b64(good),
    }.items():
        yield case(f"ECDSA: of {name}", "RFC 7515 §5.2", rule, text, "jwt.signature")
    wrong = ONE.sign(signed.encode(), "ES384")
    yield case("ECDSA: with another digest", "RFC 7518 §3.4", rule, of(wrong), "jwt.signature")
    yield from rsa_signatures()


def rsa_signatures():
    def text(signature, alg="RS256", key=RSA):
        signed = b64(compact({"alg": alg, "kid": key.name})) + "." + b64(compact(claims()))
        return f"{signed}.{b64(signature(signed.encode()))}"

    def padded(message, filler, tail):
        info = bytes.fromhex(DIGEST_INFO["sha256"]) + hashlib.sha256(message).digest()
        return RSA.raw(b"\0\1" + filler * (RSA.size - len(info) - len(tail) - 3) + b"\0" + info + tail)

    def cube(message):
        """Eight bytes of padding, the digest, and rubbish that makes the number a cube."""
        info = bytes.fromhex(DIGEST_INFO["sha256"]) + hashlib.sha256(message).digest()
        start = b"\0\1" + b"\xff" * 8 + b"\0" + info
        target = int.from_bytes(start + b"\xff" * (CUBE.size - len(start)), "big")
        low, high = 0, 1 << 700
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if middle**3 <= target else (low, middle)
        assert octets(low**3, CUBE.size).startswith(start)
        return octets(low, CUBE.size)

    section, rule = "RFC 7518 §3.3", "PKCS #1 v1.5 with its one padding and the digest of `alg`."
    for name, signature in {
        "no signature": lambda m: b"", "zeros": lambda m: bytes(256), "one": lambda m: octets(1, 256),
        "SHA-1": lambda m: RSA.pkcs1(m, "sha1"), "SHA-384": lambda m: RSA.pkcs1(m, "sha384"),
        "the padding of PSS": lambda m: RSA.pss(m, "sha256"), "a byte less": lambda m:
        RSA.sign(m)[:-1], "a byte more": lambda m: RSA.sign(m) + b"\0", "a zero before": lambda m:
        b"\0" + RSA.sign(m), "rubbish after the digest": lambda m: padded(m, b"\xff", b"\0" * 8),
        "another filler": lambda m: padded(m, b"\x7f", b""), "the modulus added": lambda m:
        octets(int.from_bytes(RSA.sign(m), "big") + RSA.n, 257), "the message unsigned": lambda m:
        b"\0\1" + b"\xff" * 221 + b"\0" + hashlib.sha256(m).digest()[:31],
    }.items():
        yield case(f"RS256: {name}", section, rule, text(signature), "jwt.signature",
                   bundles=bundle(RSA.jwk()))
    yield case("RS256: a cube root", section, rule, text(cube, key=CUBE), "jwt.signature",
               bundles=bundle(CUBE.jwk()))
    section, rule = "RFC 7518 §3.5", "PSS with a salt as long as the digest, and one digest."
    yield case("PS256: as it should be", section, rule, text(lambda m: RSA.pss(m, "sha256"), "PS256"),
               WEB, bundles=bundle(RSA.jwk()))
    for name, signature in {
        "no salt": lambda m: RSA.pss(m, "sha256", salt_length=0), "a shorter salt": lambda m:
        RSA.pss(m, "sha256", salt_length=20), "a longer salt": lambda m:
        RSA.pss(m, "sha256", salt_length=64), "another mask": lambda m:
        RSA.pss(m, "sha256", mgf="sha1"), "another digest": lambda m: RSA.pss(m, "sha512"),
        "the padding of PKCS #1": lambda m: RSA.pkcs1(m, "sha256"), "zeros": lambda m: bytes(256),
    }.items():
        yield case(f"PS256: {name}", section, rule, text(signature, "PS256"), "jwt.signature",
                   bundles=bundle(RSA.jwk()))
    rule = "The key is read before the subject's rights: one subject, one domain, one key."
    yield case("RS256: for our audience by an RSA key among EC keys", "JWT-SVID §6.3", rule,
               token(RSA, claims(aud=US)), WEB, bundles=bundle(ONE.jwk(), RSA.jwk(), P384.jwk()))
