"""The outer form of a certificate: version, serial number, DER, and sizes."""

from .case import Suite
from .certificates import Authority, distinguished_name, extension
from .der import boolean, explicit, integer, octet_string, oid, sequence, tlv

FORM, MALFORMED = "RFC 5280 §4.1", "svid.malformed"
SERIAL = "RFC 5280 §4.1.2.2"


def cases():
    suite, root = Suite("encodings"), Authority("a")
    versions(suite, root)
    serials(suite, root)
    forms(suite, root)
    sizes(suite, root)
    return suite.cases


def versions(suite, root):
    def bad(name, rule, **changes):
        suite.refuse(name, MALFORMED, rule, "RFC 5280 §4.1.2.1", root.issue(**changes), root, attack="I21")

    bad("version-1", "a certificate of version 1 has no extensions and so no identity", version=None, extensions=None)
    bad("version-1-with-extensions", "extensions belong to version 3", version=None)
    bad("version-2", "extensions belong to version 3", version=1)
    bad("version-4", "there is no version 4", version=3)
    bad("version-negative", "a version is not negative", version=-1)
    suite.refuse("version-1-intermediate", "trust.malformed", "a certificate of version 1 is no CA",
                 "RFC 5280 §6.1.4", root.intermediate("i", version=None, extensions=None).issue(), root, attack="I21")
    old = Authority("old", version=None, extensions=None)
    suite.refuse("version-1-root", "trust.issuer_not_ca", "a root of version 1 does not say that it is a CA",
                 "X509-SVID §4.1", old.issue(), [old, root], attack="I21")


def serials(suite, root):
    def bad(name, rule, serial, reason="svid.serial"):
        suite.refuse(name, reason, rule, SERIAL, root.issue(serial=serial), root, attack="I21")

    suite.accept("serial-1", "a serial number may be small", SERIAL, root.issue(serial=1), root)
    suite.accept("serial-of-20-bytes", "a serial number may have 20 bytes", SERIAL, root.issue(serial=(1 << 159) - 1),
                 root)
    suite.accept("serial-with-a-sign-byte", "a byte that only holds the sign is part of the form", SERIAL,
                 root.issue(serial=0x80), root)
    bad("serial-zero", "a serial number is positive", 0)
    bad("serial-negative", "a serial number is positive", -1)
    bad("serial-of-21-bytes", "a serial number has at most 20 bytes", 1 << 166)
    bad("serial-of-1000-bytes", "a serial number has at most 20 bytes", 1 << 7998)
    bad("serial-empty", "an INTEGER has at least one byte", b"\x02\x00")
    bad("serial-padded", "an INTEGER has no superfluous byte (X.690 §8.3.2)", b"\x02\x02\x00\x01")
    bad("serial-that-is-text", "a serial number is an INTEGER", tlv(0x0C, b"1"), MALFORMED)


def forms(suite, root):
    def bad(name, rule, change, reason=MALFORMED, **more):
        suite.refuse(name, reason, rule, FORM, root.issue(raw=change), root, attack="I21", **more)

    bad("empty", "an empty certificate is none", lambda der: b"")
    bad("rubbish", "text is no certificate", lambda der: b"rubbish")
    bad("zeros", "zeros are no certificate", lambda der: bytes(64))
    bad("cut-short", "a certificate has all its bytes", lambda der: der[:-1])
    bad("cut-in-half", "a certificate has all its bytes", lambda der: der[:len(der) // 2])
    bad("byte-after-its-end", "nothing follows a certificate", lambda der: der + b"\x00")
    bad("certificate-after-its-end", "nothing follows a certificate", lambda der: der + root.der)
    bad("pem-within-der", "a certificate is DER", lambda der: b"-----BEGIN CERTIFICATE-----")
    bad("indefinite-length", "a length is definite (X.690 §10.1)",
        lambda der: b"\x30\x80" + der[4:] + b"\x00\x00")
    bad("length-padded", "a length has no superfluous byte (X.690 §10.1)",
        lambda der: b"\x30\x83\x00" + der[2:4] + der[4:])
    bad("length-of-four-gigabytes", "a length ends within what was sent", lambda der: b"\x30\x84\xff\xff\xff\xff" + der[4:])
    bad("length-of-nine-bytes", "a length that no memory holds is refused", lambda der: b"\x30\x89" + b"\xff" * 9 + der[4:])
    bad("set-for-sequence", "a certificate is a SEQUENCE", lambda der: b"\x31" + der[1:])
    bad("deep-nesting", "nesting costs no stack", lambda der: nested(2000))
    suite.refuse("bytes-within-its-body", MALFORMED, "nothing follows the extensions", FORM,
                 root.issue(tbs_tail=b"\x05\x00"), root, attack="I21")
    suite.refuse("extensions-twice", MALFORMED, "there is one list of extensions", FORM,
                 root.issue(tbs_tail=explicit(3, sequence(extension("unknown", integer(1))))), root, attack="I21")
    unique = tlv(0x81, b"\x00\x01")
    suite.accept("unique-identifier", "a unique identifier of the issuer is allowed and not read", "RFC 5280 §4.1.2.8",
                 root.issue(unique_ids=unique), root)
    suite.refuse("key-info-cut-short", MALFORMED, "a public key's description parses", "RFC 5280 §4.1.2.7",
                 root.issue(spki=sequence(oid("1.2.840.10045.2.1"))), root, key=False, attack="I21")
    suite.refuse("subject-that-is-no-name", MALFORMED, "a subject is a name", "RFC 5280 §4.1.2.6",
                 root.issue(subject=octet_string(b"web")), root, attack="I21")
    suite.refuse("issuer-of-another-name", "trust.unknown_issuer", "a leaf names its issuer", "RFC 5280 §6.1.3",
                 root.issue(issuer=distinguished_name("somebody else")), root)
    suite.refuse("issuer-empty", "trust.unknown_issuer", "a leaf names its issuer", "RFC 5280 §4.1.2.4",
                 root.issue(issuer=sequence()), root)
    suite.refuse("issuer-in-another-case", "trust.unknown_issuer",
                 "names are compared byte for byte, which RFC 5280 §7.1 allows to refuse more", "RFC 5280 §7.1",
                 root.issue(issuer=distinguished_name("A")), root)


def nested(depth):
    der = b""
    for _ in range(depth):
        der = tlv(0x30, der)
    return der


def sizes(suite, root):
    def padded(size):
        return root.issue(unknown=(tlv(0x04, bytes(size)), False))

    suite.accept("certificate-of-16-kib", "a large certificate is read", "RFC 5280 §4.1", padded(15 << 10), root)
    suite.refuse("certificate-of-40-kib", "trust.chain_bytes", "what is read before anything is proven is bounded",
                 "RFC 5280 §4.1", padded(40 << 10), root, attack="I21")
    big = root.intermediate("big", unknown=(tlv(0x04, bytes(40 << 10)), False))
    suite.refuse("intermediate-of-40-kib", "trust.chain_bytes", "what is read before anything is proven is bounded",
                 "RFC 5280 §4.1", big.issue(), root, attack="I21")
    name = distinguished_name("n" * 8000)
    suite.accept("subject-of-8000-letters", "a subject may be long and is cut where it is shown", "RFC 5280 §4.1.2.6",
                 root.issue(subject=name), root)
    suite.accept("critical-false-written-out", "a default that is written out changes nothing", "X.690 §11.5",
                 root.issue(unknown=sequence(oid("1.3.6.1.4.1.55555.1"), boolean(False), octet_string(b"\x05\x00"))),
                 root)
    suite.refuse("signature-missing", MALFORMED, "a certificate has a signature", FORM,
                 root.issue(raw=without_signature), root)


def without_signature(certificate):
    """The body and the algorithm, and no third part."""
    body = certificate[4:]
    size = 4 + int.from_bytes(body[2:4], "big")
    algorithm = body[size:size + 2 + body[size + 1]]
    return sequence(body[:size], algorithm)
