"""Keys that follow from their names, so that every run makes the same ones, and their signatures.

They sign nothing but the cases: whoever reads this file has them.
"""

import base64
import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CURVES = {
    "P-256": (ec.SECP256R1(), 32, hashes.SHA256(), "ES256",
              0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    "P-384": (ec.SECP384R1(), 48, hashes.SHA384(), "ES384",
              0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973),
    "P-521": (ec.SECP521R1(), 66, hashes.SHA512(), "ES512",
              0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409),
    "secp256k1": (ec.SECP256K1(), 32, hashes.SHA256(), "ES256K",
                  0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141),
}
# The DER that stands before the digest in PKCS #1 v1.5 (RFC 8017 §9.2).
DIGEST_INFO = {
    "sha1": "3021300906052b0e03021a05000414",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}
SMALL_PRIMES = [p for p in range(2, 702) if all(p % q for q in range(2, p))]


def b64(data):
    """base64url without padding, of bytes or a text."""
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    """A text stands for itself; anything else is written as JSON."""
    return value if isinstance(value, (str, bytes)) else json.dumps(value, separators=(",", ":"))


def octets(number, length=None):
    return number.to_bytes(length or (number.bit_length() + 7) // 8, "big")


def stream(label, length):
    """Bytes that follow from the label."""
    out = b""
    while len(out) < length:
        block = f"portreeve spiffe-jwt: {label}: {len(out)}"
        out += hashlib.sha512(block.encode()).digest()
    return out[:length]


def is_prime(n):
    if any(n % p == 0 for p in SMALL_PRIMES):
        return n in SMALL_PRIMES
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for base in SMALL_PRIMES[:24]:
        x = pow(base, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


class Ec:
    def __init__(self, name, curve="P-256"):
        self.name, self.crv = name, curve
        self.curve, self.size, self.hash, self.alg, self.order = CURVES[curve]
        scalar = int.from_bytes(stream(name, 80), "big") % (self.order - 1) + 1
        self.private = ec.derive_private_key(scalar, self.curve)
        public = self.private.public_key().public_numbers()
        self.x, self.y = octets(public.x, self.size), octets(public.y, self.size)

    def jwk(self, **more):
        return {"kty": "EC", "kid": self.name, "crv": self.crv,
                "x": b64(self.x), "y": b64(self.y)} | more

    def der(self, message, digest=None):
        """By RFC 6979, so that a signature comes out the same every time."""
        scheme = ec.ECDSA(digest or self.hash, deterministic_signing=True)
        return self.private.sign(message, scheme)

    def pair(self, message, digest=None):
        return decode_dss_signature(self.der(message, digest))

    def sign(self, message, alg=None):
        digests = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384(), "ES512": hashes.SHA512()}
        r, s = self.pair(message, digests.get(alg))
        return octets(r, self.size) + octets(s, self.size)


class Rsa:
    def __init__(self, name, bits=2048, e=65537, prime=None):
        self.name, self.e, self.alg = name, e, "RS256"
        prime = prime or self.prime
        label, sizes = name, (bits - bits // 2, bits // 2)
        while True:
            p, q = (prime(f"{label}, prime {i}", size) for i, size in enumerate(sizes))
            self.n = p * q
            if self.n.bit_length() == bits:
                break
            label += "+"
        self.d = pow(e, -1, (p - 1) * (q - 1))
        self.size = (bits + 7) // 8

    def prime(self, label, bits):
        top = 3 << (bits - 2)
        candidate = int.from_bytes(stream(label, bits // 8), "big") | top | 1
        while not is_prime(candidate) or candidate % self.e == 1:
            candidate += 2
        return candidate

    def jwk(self, **more):
        return {"kty": "RSA", "kid": self.name,
                "n": b64(octets(self.n)), "e": b64(octets(self.e))} | more

    def raw(self, encoded):
        return octets(pow(int.from_bytes(encoded, "big"), self.d, self.n), self.size)

    def pkcs1(self, message, digest):
        info = bytes.fromhex(DIGEST_INFO[digest]) + hashlib.new(digest, message).digest()
        return self.raw(b"\0\1" + b"\xff" * (self.size - len(info) - 3) + b"\0" + info)

    def pss(self, message, digest, salt_length=None, mgf=None):
        """RFC 8017 §9.1.1, with a salt that follows from the message."""
        hashed = hashlib.new(digest, message).digest()
        salt = stream("salt " + hashed.hex(), len(hashed) if salt_length is None else salt_length)
        inner = hashlib.new(digest, b"\0" * 8 + hashed + salt).digest()
        bits = self.n.bit_length() - 1
        length = (bits + 7) // 8
        block = b"\1" + salt
        block = b"\0" * (length - len(inner) - 1 - len(block)) + block
        mask = b""
        for counter in range(0, len(block) // len(inner) + 1):
            mask += hashlib.new(mgf or digest, inner + octets(counter, 4)).digest()
        masked = bytearray(a ^ b for a, b in zip(block, mask))
        masked[0] &= 0xFF >> (8 * length - bits)
        return self.raw(bytes(masked) + inner + b"\xbc")

    def sign(self, message, alg=None):
        alg = alg or self.alg
        digest = "sha" + alg[2:]
        return self.pss(message, digest) if alg.startswith("PS") else self.pkcs1(message, digest)


def roca_prime(label, bits):
    """A prime as the generator of CVE-2017-15361 made them: k * M + 65537^a mod M."""
    primorial, count = 1, 126
    for p in SMALL_PRIMES[:count]:
        primorial *= p
    power = pow(65537, int.from_bytes(stream(label, 8), "big"), primorial)
    k = (3 << (bits - 2)) // primorial + int.from_bytes(stream(label + " k", 5), "big")
    while not is_prime(k * primorial + power):
        k += 1
    return k * primorial + power


def token(key, claims, header=None, alg=None):
    """A token of the header and claims as they are, text or value."""
    alg = alg or key.alg
    header = {"alg": alg, "kid": key.name, "typ": "JWT"} if header is None else header
    signed = b64(compact(header)) + "." + b64(compact(claims))
    return signed + "." + b64(key.sign(signed.encode(), alg))
