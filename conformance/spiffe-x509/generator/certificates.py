"""Certificates and certificate revocation lists, right by default and changeable in every part."""

import hashlib

from . import der
from .der import bit_string, boolean, explicit, integer, named_bits, octet_string, oid, sequence, set_of, tlv
from .keys import key

BEGIN, END = "2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
NOW = "2026-06-01T00:00:00Z"

OIDS = {"ski": "2.5.29.14", "ku": "2.5.29.15", "san": "2.5.29.17", "ian": "2.5.29.18", "bc": "2.5.29.19",
        "crl_number": "2.5.29.20", "crl_reason": "2.5.29.21", "delta": "2.5.29.27", "idp": "2.5.29.28",
        "nc": "2.5.29.30", "policies": "2.5.29.32", "aki": "2.5.29.35", "policy_constraints": "2.5.29.36",
        "eku": "2.5.29.37", "unknown": "1.3.6.1.4.1.55555.1", "unknown2": "1.3.6.1.4.1.55555.2",
        "poison": "1.3.6.1.4.1.11129.2.4.3"}
SERVER, CLIENT = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"
CODE_SIGNING, ANY_USE = "1.3.6.1.5.5.7.3.3", "2.5.29.37.0"
BITS = {name: bit for bit, name in enumerate(
    ("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
     "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"))}


def extension(name, value, critical=False):
    number = oid(OIDS[name]) if isinstance(name, str) else name
    return sequence(number, *([boolean(True)] if critical else []), octet_string(value))


# Values of extensions.

def basic_constraints(ca=False, path_length=None):
    parts = [boolean(True)] if ca else []
    return sequence(*parts, *([] if path_length is None else [integer(path_length)]))


def key_usage(*names):
    return named_bits(*(BITS[name] for name in names))


def extended_key_usage(*numbers):
    return sequence(*map(oid, numbers))


def names(*general_names):
    return sequence(*general_names)


def uri(text):
    return tlv(0x86, text if isinstance(text, bytes) else text.encode())


def dns(text):
    return tlv(0x82, text.encode())


def email(text):
    return tlv(0x81, text.encode())


def ip(*octets):
    return tlv(0x87, bytes(octets))


def directory(name):
    return tlv(0xA4, name)


def other_name(number, text):
    return tlv(0xA0, oid(number) + explicit(0, tlv(0x0C, text.encode())))


def registered_id(number):
    return tlv(0x88, oid(number)[2:])


def name_constraints(permitted=(), excluded=()):
    def subtrees(number, bases):
        return [explicit(number, b"".join(sequence(base) for base in bases))] if bases else []
    return sequence(*subtrees(0, permitted), *subtrees(1, excluded))


def distinguished_name(common_name, organization="SPIFFE"):
    def part(number, text):
        return set_of(sequence(oid(number), tlv(0x0C, text if isinstance(text, bytes) else text.encode())))
    parts = [part("2.5.4.10", organization)] if organization else []
    return sequence(*parts, *([part("2.5.4.3", common_name)] if common_name else []))


EMPTY_NAME = sequence()


def certificate(*, serial, issuer, subject, spki, signer, extensions, begin=BEGIN, end=END, version=2,
                digest=None, inner=None, outer=None, validity=None, tail=b"", tbs_tail=b"", unique_ids=b"",
                change_signature=None, algorithm=None):
    """`extensions` is a list of them or None; `serial` a number or the DER of one."""
    digest = digest or signer.hash
    algorithm = algorithm or signer.algorithm(digest)
    body = [] if version is None else [explicit(0, integer(version))]
    body += [serial if isinstance(serial, bytes) else integer(serial), inner or algorithm, issuer,
             validity or sequence(der.time(begin), der.time(end)), subject, spki, unique_ids]
    if extensions is not None:
        body.append(explicit(3, sequence(*extensions)))
    tbs = sequence(*body, tbs_tail)
    signature = signer.sign(tbs, digest)
    if change_signature:
        signature = change_signature(signature)
    return sequence(tbs, outer or algorithm, bit_string(signature)) + tail


def serial_of(*parts):
    """Sixteen bytes without a sign, made from what the certificate is."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:16], "big") >> 1 | 1 << 126


class Extensions:
    """The extensions of a certificate by name, in order; a change is `name=value` or `name=None`."""

    def __init__(self, **values):
        self.values = {name: value for name, value in values.items() if value is not None}

    def changed(self, changes):
        values = dict(self.values)
        for name, change in changes.items():
            if change is None:
                values.pop(name, None)
            else:
                values[name] = change
        return [extension(name, *value) if isinstance(value, tuple) else value
                for name, value in values.items()]


# `name=(value, critical)`, or a whole extension as bytes.
EXTENSION_NAMES = set(OIDS)


def split(changes):
    extensions = {name: changes.pop(name) for name in list(changes) if name in EXTENSION_NAMES}
    return extensions, changes


class Leaf:
    """A leaf with its key and the intermediates up to a root."""

    def __init__(self, der, key, chain):
        self.der, self.key, self.chain = der, key, chain


class Authority:
    """A CA: a certificate, its key, and the intermediates from it up to a root."""

    def __init__(self, name, *, parent=None, key_kind=("p256",), key_name=None, subject=None, **changes):
        self.name = name
        self.key = key(key_kind[0], key_name or name, *key_kind[1:])
        self.parent = parent
        self.subject = distinguished_name(name) if subject is None else subject
        extensions, changes = split(changes)
        signer = parent.key if parent else self.key
        defaults = Extensions(
            bc=(basic_constraints(True), True),
            ku=(key_usage("keyCertSign", "cRLSign"), True),
            ski=(octet_string(self.key.identifier()), False),
            aki=(aki(parent.key), False) if parent else None)
        raw = changes.pop("raw", None)
        fields = dict(
            serial=serial_of(name, key_kind, parent and parent.name, repr(extensions), repr(changes)),
            issuer=parent.subject if parent else self.subject, subject=self.subject,
            spki=self.key.spki, signer=signer, extensions=defaults.changed(extensions))
        fields.update(changes)
        self.der = certificate(**fields)
        if raw:
            self.der = raw(self.der)
        self.chain = [self.der, *parent.chain] if parent and parent.parent else [self.der] if parent else []
        self.serial = fields["serial"]

    def intermediate(self, name, **changes):
        return Authority(name, parent=self, **changes)

    def issue(self, spiffe_id="spiffe://a.test/web", *, key_kind=("p256",), key_name=None, san=(), san_value=None,
              san_critical=False, raw=None, **changes):
        """`san` are names beside the ID; `san_value` stands in place of all of them."""
        extensions, changes = split(changes)
        own = changes.pop("own_key", None) or key(key_kind[0], key_name or "leaf", *key_kind[1:])
        general_names = ([] if spiffe_id is None else [uri(spiffe_id)]) + list(san)
        defaults = Extensions(
            bc=(basic_constraints(False), True),
            ku=(key_usage("digitalSignature"), True),
            eku=(extended_key_usage(SERVER, CLIENT), False),
            san=(names(*general_names) if san_value is None else san_value, san_critical)
            if general_names or san_value is not None else None,
            aki=(aki(self.key), False))
        fields = dict(
            serial=serial_of(self.name, general_names, san_value, key_kind, repr(extensions), repr(changes)),
            issuer=self.subject, subject=distinguished_name("", "SPIRE"), spki=own.spki, signer=self.key,
            extensions=defaults.changed(extensions))
        fields.update(changes)
        made = certificate(**fields)
        leaf = Leaf(raw(made) if raw else made, own, list(self.chain))
        leaf.serial = fields["serial"]
        return leaf

    def crl(self, *revoked, begin="2026-05-31T00:00:00Z", end="2026-06-08T00:00:00Z", signer=None, digest=None,
            extensions=None, entry_extensions=(), name=None, number=1, change_signature=None):
        signer = signer or self.key
        algorithm = signer.algorithm(digest or signer.hash)
        entries = [sequence(integer(serial), der.time(begin), *entry_extensions) for serial in revoked]
        if extensions is None:
            extensions = [extension("aki", aki(signer)), extension("crl_number", integer(number))]
        tbs = sequence(integer(1), algorithm, name or self.subject, der.time(begin),
                       *([der.time(end)] if end else []), *([sequence(*entries)] if entries else []),
                       *([explicit(0, sequence(*extensions))] if extensions else []))
        signature = signer.sign(tbs, digest or signer.hash)
        if change_signature:
            signature = change_signature(signature)
        return sequence(tbs, algorithm, bit_string(signature))


def aki(of):
    return sequence(tlv(0x80, of.identifier()))
