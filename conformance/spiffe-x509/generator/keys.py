"""Keys from a fixed seed, weak ones included, whose signatures come out the same every time.

They protect nothing: everybody can make them again from this file.
"""

import base64
import hashlib
import random

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, ed448, x25519

from .der import bit_string, explicit, integer, null, octet_string, oid, sequence

SEED = "portreeve spiffe-x509"
EC_PUBLIC_KEY = oid("1.2.840.10045.2.1")
RSA = sequence(oid("1.2.840.113549.1.1.1"), null())
CURVES = {
    "p192": (ec.SECP192R1, "1.2.840.10045.3.1.1"),
    "p224": (ec.SECP224R1, "1.3.132.0.33"),
    "p256": (ec.SECP256R1, "1.2.840.10045.3.1.7"),
    "p384": (ec.SECP384R1, "1.3.132.0.34"),
    "p521": (ec.SECP521R1, "1.3.132.0.35"),
    "secp256k1": (ec.SECP256K1, "1.3.132.0.10"),
}
ECDSA = {"sha1": "1.2.840.10045.4.1", "sha224": "1.2.840.10045.4.3.1", "sha256": "1.2.840.10045.4.3.2",
         "sha384": "1.2.840.10045.4.3.3", "sha512": "1.2.840.10045.4.3.4"}
PKCS1 = {"md5": 4, "sha1": 5, "sha224": 14, "sha256": 11, "sha384": 12, "sha512": 13}
DIGESTS = {"md5": "1.2.840.113549.2.5", "sha1": "1.3.14.3.2.26", "sha224": "2.16.840.1.101.3.4.2.4",
           "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2",
           "sha512": "2.16.840.1.101.3.4.2.3"}


def seeded(*parts):
    return random.Random("/".join([SEED, *map(str, parts)]))


class Key:
    """A key: `spki` is its SubjectPublicKeyInfo, `hash` what it signs with unless told otherwise."""

    hash = "sha256"

    def pem(self):
        form = serialization.PrivateFormat.PKCS8
        return self.private.private_bytes(
            serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    def identifier(self):
        return hashlib.sha1(self.spki).digest()


class EcKey(Key):
    def __init__(self, curve, name):
        kind, self.curve_oid = CURVES[curve]
        self.private = ec.derive_private_key(seeded(curve, name).getrandbits(180) + 1, kind())
        form = serialization.PublicFormat
        encode = self.private.public_key().public_bytes
        self.point = encode(serialization.Encoding.X962, form.UncompressedPoint)
        self.compressed = encode(serialization.Encoding.X962, form.CompressedPoint)
        self.spki = self.spki_of(self.point)
        self.hash = {"p384": "sha384", "p521": "sha512"}.get(curve, "sha256")

    def spki_of(self, point):
        return sequence(sequence(EC_PUBLIC_KEY, oid(self.curve_oid)), bit_string(point))

    def algorithm(self, digest):
        return sequence(oid(ECDSA[digest]))

    def sign(self, message, digest):
        kind = getattr(hashes, digest.upper())()
        return self.private.sign(message, ec.ECDSA(kind, deterministic_signing=True))


class Ed25519Key(Key):
    def __init__(self, name):
        self.private = ed25519.Ed25519PrivateKey.from_private_bytes(seeded("ed25519", name).randbytes(32))
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.spki = sequence(sequence(oid("1.3.101.112")), bit_string(self.private.public_key().public_bytes(*raw)))

    def algorithm(self, digest):
        return sequence(oid("1.3.101.112"))

    def sign(self, message, digest):
        return self.private.sign(message)


class OtherKey(Key):
    """A key that only stands in a leaf: Ed448 and X25519."""

    def __init__(self, kind, name):
        seed = seeded(kind, name)
        if kind == "ed448":
            self.private, number = ed448.Ed448PrivateKey.from_private_bytes(seed.randbytes(57)), "1.3.101.113"
        else:
            self.private, number = x25519.X25519PrivateKey.from_private_bytes(seed.randbytes(32)), "1.3.101.110"
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.spki = sequence(sequence(oid(number)), bit_string(self.private.public_key().public_bytes(*raw)))


class RsaKey(Key):
    """RSA in plain arithmetic, so that a key may be as weak as a case wants it."""

    def __init__(self, bits, name, exponent=65537):
        rng = seeded("rsa", bits, name, exponent)
        self.e, p, q = exponent, 1, 1
        while (p * q).bit_length() != bits or p == q:
            p, q = prime(rng, (bits + 1) // 2, exponent), prime(rng, bits // 2, exponent)
        self.p, self.q, self.n = max(p, q), min(p, q), p * q
        self.d = pow(exponent, -1, (p - 1) * (q - 1))
        self.size = (bits + 7) // 8
        self.spki = sequence(RSA, bit_string(sequence(integer(self.n), integer(self.e))))

    def pem(self):
        p, q, d = self.p, self.q, self.d
        parts = [0, self.n, self.e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]
        return pem("PRIVATE KEY", sequence(integer(0), RSA, octet_string(sequence(*map(integer, parts)))))

    def algorithm(self, digest):
        if digest == "pss":
            sha256 = sequence(oid(DIGESTS["sha256"]), null())
            mgf1 = sequence(oid("1.2.840.113549.1.1.8"), sha256)
            return sequence(oid("1.2.840.113549.1.1.10"), sequence(
                explicit(0, sha256), explicit(1, mgf1), explicit(2, integer(32))))
        return sequence(oid("1.2.840.113549.1.1.%d" % PKCS1[digest]), null())

    def sign(self, message, digest):
        if digest == "pss":
            block = pss(message, self.n.bit_length() - 1)
        else:
            info = sequence(sequence(oid(DIGESTS[digest]), null()), octet_string(hashlib.new(digest, message).digest()))
            block = b"\x00\x01" + b"\xff" * (self.size - len(info) - 3) + b"\x00" + info
        return pow(int.from_bytes(block, "big"), self.d, self.n).to_bytes(self.size, "big")


class DsaKey(Key):
    """DSA with 1024 and 160 bits; its number per signature is fixed, for it guards nothing."""

    hash = "sha1"

    def __init__(self, name):
        rng = seeded("dsa", name)
        self.q = prime(rng, 160)
        while True:
            base = rng.getrandbits(1024) | 1 << 1023
            self.p = base - base % (2 * self.q) + 1
            if self.p.bit_length() == 1024 and is_prime(self.p):
                break
        self.g = pow(2, (self.p - 1) // self.q, self.p)
        self.x = rng.randrange(2, self.q)
        numbers = sequence(*map(integer, (self.p, self.q, self.g)))
        self.spki = sequence(sequence(oid("1.2.840.10040.4.1"), numbers),
                             bit_string(integer(pow(self.g, self.x, self.p))))

    def pem(self):
        numbers = sequence(*map(integer, (self.p, self.q, self.g)))
        return pem("PRIVATE KEY", sequence(
            integer(0), sequence(oid("1.2.840.10040.4.1"), numbers), octet_string(integer(self.x))))

    def algorithm(self, digest):
        return sequence(oid("1.2.840.10040.4.3"))

    def sign(self, message, digest):
        k = 2 + int.from_bytes(hashlib.sha256(message).digest(), "big") % (self.q - 3)
        r = pow(self.g, k, self.p) % self.q
        hashed = int.from_bytes(hashlib.sha1(message).digest(), "big")
        return sequence(integer(r), integer(pow(k, -1, self.q) * (hashed + self.x * r) % self.q))


def pss(message, bits):
    """EMSA-PSS (RFC 8017 §9.1.1) with SHA-256 and a salt that is made from the message."""
    def sha(data):
        return hashlib.sha256(data).digest()

    salt, size = sha(b"salt" + message), (bits + 7) // 8
    h = sha(bytes(8) + sha(message) + salt)
    block = bytes(size - 66) + b"\x01" + salt
    mask = b"".join(sha(h + n.to_bytes(4, "big")) for n in range(len(block) // 32 + 1))
    masked = bytearray(a ^ b for a, b in zip(block, mask))
    masked[0] &= 0xFF >> (8 * size - bits)
    return bytes(masked) + h + b"\xbc"


def prime(rng, bits, exponent=1):
    while True:
        candidate = rng.getrandbits(bits) | 3 << bits - 2 | 1
        if (exponent == 1 or (candidate - 1) % exponent) and is_prime(candidate):
            return candidate


SMALL = [n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]


def is_prime(n):
    if any(n % small == 0 for small in SMALL):
        return n in SMALL
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def pem(label, der):
    text = base64.b64encode(der).decode()
    lines = [text[start:start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN %s-----" % label, *lines, "-----END %s-----" % label, ""])


KEYS = {}


def key(kind, name, *more):
    """The key of that kind and name; the same one whenever it is asked for."""
    if (kind, name, *more) not in KEYS:
        made = {"rsa": RsaKey, "ed25519": Ed25519Key, "dsa": DsaKey}
        if kind in CURVES:
            one = EcKey(kind, name)
        elif kind in made:
            one = made[kind](*more[:1], name, *more[1:])
        else:
            one = OtherKey(kind, name)
        KEYS[kind, name, *more] = one
    return KEYS[kind, name, *more]
