"""Extensions as such: critical ones that are not known, and the same one twice."""

from .case import Suite
from .certificates import (
    Authority, CLIENT, SERVER, basic_constraints, extended_key_usage, extension, key_usage, names, uri)
from .der import boolean, integer, null, octet_string, oid, sequence, tlv

SECTION, ONCE = "RFC 5280 §4.2", "svid.duplicate_extension"
ID = "spiffe://a.test/web"


def cases():
    suite, root = Suite("extensions"), Authority("a")
    unknown(suite, root)
    twice(suite, root)
    odd(suite, root)
    return suite.cases


def unknown(suite, root):
    critical, plain = (b"\x05\x00", True), (b"\x05\x00", False)
    own = "svid.critical_extension"

    def bad(name, rule, leaf, reason=own, roots=root, **more):
        suite.refuse(name, reason, rule, SECTION, leaf, roots, attack="I17", **more)

    bad("unknown-critical-in-a-leaf", "a critical extension that is not known refuses a leaf",
        root.issue(unknown=critical))
    bad("unknown-critical-in-a-server-s-leaf", "a critical extension that is not known refuses a leaf",
        root.issue(unknown=critical), role="server")
    bad("precertificate", "a precertificate is no certificate (RFC 6962 §3.1)", root.issue(poison=(null(), True)))
    bad("critical-policies-in-a-leaf", "certificate policies are not processed, so critical ones refuse a leaf",
        root.issue(policies=(sequence(sequence(oid("1.2.3.4"))), True)))
    bad("unknown-critical-in-an-intermediate", "a critical extension that is not known refuses an issuer",
        root.intermediate("i", unknown=critical).issue(), "trust.critical_extension")
    bad("critical-policy-constraints-in-an-intermediate", "policy constraints are not processed, so they refuse an issuer",
        root.intermediate("i", policy_constraints=(sequence(tlv(0x80, b"\x00")), True)).issue(),
        "trust.critical_extension")
    bad("unknown-critical-in-a-root", "a critical extension that is not known refuses a root",
        Authority("odd", unknown=critical).issue(), "trust.critical_extension", Authority("odd", unknown=critical))
    suite.accept("unknown-in-a-leaf", "an extension that is not critical may be unknown", SECTION,
                 root.issue(unknown=plain, unknown2=plain), root)
    suite.accept("unknown-in-an-intermediate", "an extension that is not critical may be unknown", SECTION,
                 root.intermediate("i", unknown=plain).issue(), root)
    suite.accept("unknown-in-a-root", "an extension that is not critical may be unknown", SECTION,
                 Authority("odd", unknown=plain).issue(), Authority("odd", unknown=plain))
    suite.accept("policies-in-a-leaf", "certificate policies that are not critical say nothing here", SECTION,
                 root.issue(policies=(sequence(sequence(oid("1.2.3.4"))), False)), root)
    leaf = root.issue()
    suite.accept("unknown-critical-in-a-stranger", "a certificate that is not in the path refuses nobody", SECTION,
                 leaf, root, chain=[Authority("x", unknown=critical).der])
    suite.accept("unknown-critical-in-another-root", "a root that is not in the path refuses nobody", SECTION, leaf,
                 [Authority("odd", unknown=critical), root])


def twice(suite, root):
    def both(name, rule, *extra, **changes):
        changes.update({"unknown": None})
        leaf = root.issue(**changes, **{"unknown2": b"".join(extra)})
        suite.refuse(name, ONCE, rule, SECTION, leaf, root, attack="I21")

    both("names-twice", "names stand in one extension", extension("san", names(uri("spiffe://a.test/admin"))))
    both("names-twice-alike", "an extension that stands twice is refused where both say the same",
         extension("san", names(uri(ID))))
    both("key-usage-twice", "keyUsage stands once", extension("ku", key_usage("keyCertSign"), True))
    both("basic-constraints-twice", "basicConstraints stands once", extension("bc", basic_constraints(True), True))
    both("extended-key-usage-twice", "extendedKeyUsage stands once",
         extension("eku", extended_key_usage(SERVER, CLIENT)))
    both("unknown-twice", "an unknown extension stands once too",
         extension("unknown", null()), extension("unknown", null()))
    both("authority-key-id-twice", "authorityKeyIdentifier stands once", extension("aki", sequence()))
    doubled = root.intermediate("i", unknown2=extension("bc", basic_constraints(True), True))
    suite.refuse("basic-constraints-twice-in-an-issuer", "trust.malformed", "an issuer's extensions stand once", SECTION,
                 doubled.issue(), root, attack="I21")
    doubled = root.intermediate("i", unknown2=extension("ku", key_usage("keyCertSign"), True), ku=(key_usage(), True))
    suite.refuse("key-usage-twice-in-an-issuer", "trust.malformed", "an issuer's extensions stand once", SECTION,
                 doubled.issue(), root, attack="I21")


def odd(suite, root):
    def bad(name, rule, *whole, reason="svid.malformed", **changes):
        leaf = root.issue(unknown=b"".join(whole), **changes)
        suite.refuse(name, reason, rule, SECTION, leaf, root, attack="I21")

    number, usage = oid("2.5.29.15"), key_usage("digitalSignature")
    bad("extensions-65", "more than 64 extensions are not read",
        *(extension(oid("1.3.6.1.4.1.55555.100.%d" % n), null()) for n in range(60)))
    bad("critical-as-one", "a BOOLEAN is 0x00 or 0xff (X.690 §11.1)",
        sequence(number, tlv(0x01, b"\x01"), octet_string(usage)), ku=None)
    bad("value-that-is-no-octet-string", "an extension's value is an OCTET STRING", sequence(number, usage), ku=None)
    bad("bytes-after-an-extension-s-value", "an extension ends with its value",
        sequence(number, boolean(True), octet_string(usage), null()), ku=None)
    bad("empty-extension", "an extension has a name and a value", sequence())
    padded = tlv(0x06, b"\x55\x1d\x80\x0f")
    bad("name-of-an-extension-padded", "an OID has one form (X.690 §8.19.2), so keyUsage in another is none",
        sequence(padded, boolean(True), octet_string(usage)), ku=None, reason="svid.critical_extension")
    bad("name-of-an-extension-padded-beside", "an OID in another form is not known",
        sequence(padded, boolean(True), octet_string(usage)), reason="svid.critical_extension")
    suite.refuse("no-extensions", "svid.no_uri_san", "a leaf without extensions has no identity", "X509-SVID §2",
                 root.issue(extensions=None), root, attack="I02")
    suite.refuse("empty-extensions", "svid.no_uri_san", "an empty list of extensions holds no identity", "RFC 5280 §4.1",
                 root.issue(extensions=[]), root, attack="I21")
    wrong = extension(oid("2.5.29.7"), names(uri(ID)))
    suite.refuse("names-under-the-old-number", "svid.no_uri_san", "names under an old number are not read",
                 "X509-SVID §2", root.issue(None, unknown=wrong), root, attack="I03")
    integer_id = extension("unknown", integer(7))
    suite.accept("any-value", "an unknown extension's value may be anything", SECTION, root.issue(unknown=integer_id),
                 root)
