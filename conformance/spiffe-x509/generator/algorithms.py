"""Keys and signatures: what a chain may be made with, and what is too weak or not known."""

from .case import Suite
from .certificates import Authority
from .der import bit_string, explicit, integer, null, octet_string, oid, sequence
from .keys import DIGESTS, EC_PUBLIC_KEY, RSA, key

SECTION, WEAK, WEAK_ISSUER = "RFC 5280 §4.1.2.7", "svid.weak_key", "trust.weak_key"
ALGORITHM = "trust.algorithm"
P256 = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GENERATOR = bytes.fromhex("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                          "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
B = bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")


def cases():
    suite, root = Suite("algorithms"), Authority("a")
    strong(suite, root)
    weak(suite, root)
    malformed(suite, root)
    signatures(suite, root)
    return suite.cases


def strong(suite, root):
    for name, kind in [("p256", ("p256",)), ("p384", ("p384",)), ("p521", ("p521",)), ("ed25519", ("ed25519",)),
                       ("rsa-2048", ("rsa", 2048)), ("rsa-3072", ("rsa", 3072)), ("rsa-4096", ("rsa", 4096))]:
        suite.accept("leaf-" + name, "a leaf may have a key of %s" % name, SECTION,
                     root.issue(key_kind=kind, key_name="strong"), root)
        if name != "p256":
            ca = Authority("ca " + name, key_kind=kind, key_name="strong")
            suite.accept("root-" + name, "a root may have a key of %s" % name, SECTION, ca.issue(), ca)
    mixed = Authority("ca rsa-2048", key_kind=("rsa", 2048), key_name="strong").intermediate(
        "ca p384", key_kind=("p384",), key_name="strong").intermediate(
        "ca ed25519", key_kind=("ed25519",), key_name="strong")
    suite.accept("chain-of-all-kinds", "each certificate of a chain may have a key of another kind", SECTION,
                 mixed.issue(key_kind=("p256",)), Authority("ca rsa-2048", key_kind=("rsa", 2048), key_name="strong"))
    own = root.issue(own_key=root.key)
    suite.accept("leaf-with-its-issuer-s-key", "to share a key with a leaf is unwise and no fault of the chain", SECTION,
                 own, root)


def weak(suite, root):
    kinds = [("rsa-1024", ("rsa", 1024), "an RSA key has at least 2048 bits"),
             ("rsa-2040", ("rsa", 2040), "an RSA key has at least 2048 bits"),
             ("rsa-exponent-3", ("rsa", 2048, 3), "an RSA key's exponent is at least 65537 (FIPS 186-5 §5.4)"),
             ("rsa-1024-exponent-3", ("rsa", 1024, 3), "an RSA key has at least 2048 bits"),
             ("p192", ("p192",), "an elliptic curve has at least 256 bits"),
             ("p224", ("p224",), "an elliptic curve has at least 256 bits"),
             ("secp256k1", ("secp256k1",), "a curve is P-256, P-384 or P-521"),
             ("dsa", ("dsa",), "DSA is not used")]
    for name, kind, rule in kinds:
        suite.refuse("leaf-" + name, WEAK, rule, SECTION, root.issue(key_kind=kind, key_name="weak"), root, attack="I20")
        ca = Authority("ca " + name, key_kind=kind, key_name="weak")
        suite.refuse("root-" + name, WEAK_ISSUER, rule, SECTION, ca.issue(), [ca, Authority("b")], attack="I20")
    for name in ("rsa-1024", "p192", "secp256k1"):
        kind, rule = next((kind, rule) for known, kind, rule in kinds if known == name)
        ca = root.intermediate("ca " + name, key_kind=kind, key_name="weak")
        suite.refuse("intermediate-" + name, WEAK_ISSUER, rule, SECTION, ca.issue(), root, attack="I20")
    for kind in ("ed448", "x25519"):
        suite.refuse("leaf-" + kind, WEAK, "a leaf's key is of a kind that is known here", SECTION,
                     root.issue(key_kind=(kind,), key_name="weak"), root, attack="I20")
    suite.refuse("leaf-rsa-1024-of-a-server", WEAK, "a server's RSA key has at least 2048 bits", SECTION,
                 root.issue(key_kind=("rsa", 1024), key_name="weak"), root, role="server", attack="I20")


def malformed(suite, root):
    own = key("p256", "leaf")
    strong_rsa = key("rsa", "strong", 2048)

    def leaf(name, rule, spki, **more):
        made = root.issue(spki=spki)
        suite.refuse("leaf-" + name, WEAK, rule, SECTION, made, root, key=False, attack="I20", **more)

    def rsa(n, e):
        return sequence(RSA, bit_string(sequence(integer(n), integer(e))))

    n = strong_rsa.n
    leaf("rsa-exponent-1", "an RSA key's exponent is at least 65537", rsa(n, 1))
    leaf("rsa-exponent-even", "an RSA key's exponent is odd", rsa(n, 65538))
    leaf("rsa-exponent-zero", "an RSA key's exponent is at least 65537", rsa(n, 0))
    leaf("rsa-modulus-even", "an RSA modulus is odd", rsa(n + 1, 65537))
    leaf("rsa-modulus-negative", "an RSA modulus is positive", rsa(-n, 65537))
    leaf("rsa-16384", "an RSA key has at most 8192 bits: a larger one only costs time",
         rsa((1 << 16383) + (1 << 8000) + 1, 65537))
    leaf("explicit-curve", "a curve is given by its name (CVE-2020-0601)", explicit_curve(own.point))
    leaf("explicit-curve-with-another-generator", "a curve is given by its name (CVE-2020-0601)",
         explicit_curve(own.point, own.point))
    leaf("curve-implied", "a curve is given by its name", sequence(sequence(EC_PUBLIC_KEY, null()), bit_string(own.point)))
    leaf("curve-absent", "a curve is given by its name", sequence(sequence(EC_PUBLIC_KEY), bit_string(own.point)))
    leaf("point-off-the-curve", "a public key is a point of its curve",
         own.spki_of(own.point[:-1] + bytes([own.point[-1] ^ 1])))
    leaf("point-at-infinity", "a public key is not the point at infinity", own.spki_of(b"\x00"))
    leaf("point-compressed", "a public key is written without compression", own.spki_of(own.compressed))
    leaf("point-cut-short", "a public key has all its bytes", own.spki_of(own.point[:-1]))
    leaf("point-of-another-curve", "a public key is a point of the curve that is named",
         own.spki_of(key("p384", "strong").point))
    leaf("key-empty", "a public key is not empty", own.spki_of(b""))
    leaf("key-of-an-unknown-algorithm", "a leaf's key is of a kind that is known here",
         sequence(sequence(oid("1.3.6.1.4.1.55555.7")), bit_string(own.point)))
    ed25519 = key("ed25519", "strong")
    leaf("ed25519-with-parameters", "Ed25519 has no parameters (RFC 8410 §3)",
         sequence(sequence(oid("1.3.101.112"), null()), bit_string(ed25519.spki[-32:])))
    leaf("ed25519-cut-short", "a public key has all its bytes",
         sequence(sequence(oid("1.3.101.112")), bit_string(ed25519.spki[-32:-1])))
    forged = Authority("a", key_name="forged", spki=explicit_curve(key("p256", "forged").point, own.point))
    suite.refuse("root-explicit-curve", WEAK_ISSUER, "a root's curve is given by its name", SECTION, forged.issue(),
                 [forged, Authority("b")], attack="I20")


def explicit_curve(point, generator=GENERATOR):
    field = sequence(oid("1.2.840.10045.1.1"), integer(P256))
    curve = sequence(octet_string((P256 - 3).to_bytes(32, "big")), octet_string(B))
    parameters = sequence(integer(1), field, curve, octet_string(generator), integer(ORDER), integer(1))
    return sequence(sequence(EC_PUBLIC_KEY, parameters), bit_string(point))


def signatures(suite, root):
    section = "RFC 5280 §4.1.1.2"
    rsa = Authority("ca rsa-2048", key_kind=("rsa", 2048), key_name="strong")
    p384 = Authority("ca p384", key_kind=("p384",), key_name="strong")
    for digest in ("sha256", "sha384", "sha512", "pss"):
        suite.accept("signed-rsa-" + digest, "a signature may be RSA with %s" % digest, section,
                     rsa.issue(digest=digest), rsa)
    suite.accept("signed-p256-sha384", "P-256 may sign with SHA-384", section, root.issue(digest="sha384"), root)
    suite.accept("signed-p384-sha256", "P-384 may sign with SHA-256", section, p384.issue(digest="sha256"), p384)
    for digest in ("md5", "sha1", "sha224"):
        suite.refuse("signed-rsa-" + digest, ALGORITHM, "a signature is not made over %s" % digest.upper(), section,
                     rsa.issue(digest=digest), rsa, attack="I20")
    for digest in ("sha1", "sha224"):
        suite.refuse("signed-p256-" + digest, ALGORITHM, "a signature is not made over %s" % digest.upper(), section,
                     root.issue(digest=digest), root, attack="I20")
    suite.refuse("intermediate-signed-rsa-sha1", ALGORITHM, "an intermediate's signature is not made over SHA-1",
                 section, rsa.intermediate("i", digest="sha1").issue(), rsa, attack="I20")
    suite.accept("root-signed-by-itself-with-sha1", "a root's own signature is not looked at: the bundle vouches for it",
                 "RFC 5280 §6.1", root.issue(), Authority("a", digest="sha1"))
    other = p384.key.algorithm("sha384")
    suite.refuse("algorithms-differ", "trust.bad_signature", "a certificate names one algorithm in both places", section,
                 root.issue(outer=other), root, attack="I20")
    unknown = sequence(oid("1.3.6.1.4.1.55555.8"))
    suite.refuse("algorithm-unknown", ALGORITHM, "a signature's algorithm is known here", section,
                 root.issue(algorithm=unknown), root, attack="I20")
    suite.refuse("algorithm-of-another-kind-of-key", ALGORITHM, "a signature's algorithm fits its issuer's key",
                 section, root.issue(algorithm=rsa.key.algorithm("sha256")), root, attack="I20")
    short = sequence(oid("1.2.840.113549.1.1.10"), sequence(
        explicit(0, sequence(oid(DIGESTS["sha1"]), null())), explicit(2, integer(20))))
    suite.refuse("signed-rsa-pss-sha1", ALGORITHM, "PSS is not made over SHA-1", section,
                 rsa.issue(digest="pss", algorithm=short), rsa, attack="I20")
    no_null = sequence(oid("1.2.840.113549.1.1.11"))
    suite.accept("rsa-without-null", "RSA's parameters may be absent where NULL belongs", "RFC 4055 §5",
                 rsa.issue(algorithm=no_null), rsa)
    with_null = sequence(oid("1.2.840.10045.4.3.2"), null())
    suite.refuse("ecdsa-with-null", ALGORITHM, "ECDSA has no parameters (RFC 5758 §3.2)", section,
                 root.issue(algorithm=with_null), root)
    suite.refuse("signature-with-unused-bits", "svid.malformed", "a signature is whole octets", section,
                 root.issue(raw=unused_bits), root)


def unused_bits(certificate):
    """The last BIT STRING says that one of its bits is not used."""
    for size in range(0x40, 0x50):
        mark = bytes([0x03, size, 0x00, 0x30, size - 3])
        if mark in certificate:
            return certificate.replace(mark, mark[:2] + b"\x01" + mark[3:])
    raise ValueError("there is no ECDSA signature")
