"""The rules of a leaf beside its ID: names, basicConstraints, keyUsage, extendedKeyUsage."""

from .case import Suite
from .certificates import (
    ANY_USE, Authority, CLIENT, CODE_SIGNING, EMPTY_NAME, SERVER, basic_constraints, directory, distinguished_name,
    dns, email, extended_key_usage, ip, key_usage, names, other_name, registered_id, uri)
from .der import boolean, integer, oid, sequence, tlv

ID = "spiffe://a.test/web"


def cases():
    suite, root = Suite("leaf"), Authority("a")
    san_cases(suite, root)
    basic_constraint_cases(suite, root)
    key_usage_cases(suite, root)
    extended_key_usage_cases(suite, root)
    return suite.cases


def san_cases(suite, root):
    def good(name, rule, leaf, section="X509-SVID §2", **more):
        suite.accept(name, rule, section, leaf, root, **more)

    def none(name, rule, leaf, **more):
        suite.refuse(name, "svid.no_uri_san", rule, "X509-SVID §2", leaf, root, **more)

    def two(name, rule, leaf, **more):
        suite.refuse(name, "svid.two_uri_sans", rule, "X509-SVID §2", leaf, root, attack="I01", **more)

    good("client", "a client is known by the one URI name of its leaf", root.issue())
    good("server", "a server is known by the one URI name of its leaf", root.issue(), role="server")
    good("dns-name-beside-the-uri", "other kinds of names may stand beside the URI",
         root.issue(san=[dns("web.a.test")]))
    good("many-names-beside-the-uri", "any number of other names may stand beside the URI",
         root.issue(san=[dns("web.a.test"), dns("*.a.test"), email("web@a.test"), ip(10, 0, 0, 1),
                         directory(distinguished_name("web")), registered_id("1.2.3")]))
    good("uri-after-other-names", "the URI may stand behind other names",
         root.issue(None, san=[dns("web.a.test"), uri(ID)]))
    good("subject-is-no-identity", "a common name is not read",
         root.issue(subject=distinguished_name("spiffe://a.test/admin")), attack="I03")
    good("control-characters-in-the-subject", "a subject is shown escaped and decides nothing",
         root.issue(subject=distinguished_name("web\x1b[31m\r\nadmin\0")), attack="I13")
    good("empty-subject-and-critical-names", "a leaf may have no subject if its names are critical",
         root.issue(subject=EMPTY_NAME, **critical_names()), section="X509-SVID §3.1")
    good("empty-subject-and-names-not-critical",
         "to mark the names critical is the issuer's duty; a validator need not refuse",
         root.issue(subject=EMPTY_NAME), section="X509-SVID §3.1")
    good("critical-names-beside-a-subject", "the names may be critical beside a subject",
         root.issue(**critical_names()))

    none("no-names", "a leaf without names has no identity", root.issue(None), attack="I02")
    none("empty-names", "an empty list of names is no identity", root.issue(None, san_value=names()), attack="I02")
    none("dns-name-only", "a DNS name is no identity", root.issue(None, san=[dns("web.a.test")]), attack="I02")
    none("email-only", "an e-mail address is no identity", root.issue(None, san=[email("web@a.test")]), attack="I02")
    none("ip-address-only", "an IP address is no identity", root.issue(None, san=[ip(10, 0, 0, 1)]), attack="I02")
    none("id-in-the-common-name", "an ID in the common name is never read",
         root.issue(None, subject=distinguished_name(ID)), attack="I03")
    none("id-in-a-dns-name", "an ID in a DNS name is never read", root.issue(None, san=[dns(ID)]), attack="I03")
    none("id-in-an-email", "an ID in an e-mail address is never read", root.issue(None, san=[email(ID)]), attack="I03")
    none("id-in-another-name", "an ID in an otherName is never read",
         root.issue(None, san=[other_name("1.3.6.1.4.1.55555.9", ID)]), attack="I03")
    none("id-in-a-directory-name", "an ID in a directoryName is never read",
         root.issue(None, san=[directory(distinguished_name(ID))]), attack="I03")
    none("id-in-the-issuer-s-names", "the issuer's alternative names are not the leaf's",
         root.issue(None, ian=(names(uri(ID)), False)), attack="I03")
    none("server-with-a-dns-name-only", "a server is not known by its DNS name",
         root.issue(None, san=[dns("web.a.test")]), attack="I02", role="server")

    two("two-spiffe-ids", "two SPIFFE IDs are none", root.issue(san=[uri("spiffe://a.test/admin")]))
    two("the-same-id-twice", "the same ID twice is two URI names", root.issue(san=[uri(ID)]))
    two("spiffe-id-and-https", "another URI beside the ID is one too many", root.issue(san=[uri("https://a.test/")]))
    two("https-and-spiffe-id", "the order of two URI names does not matter",
        root.issue("https://a.test/", san=[uri(ID)]))
    two("spiffe-id-and-an-empty-uri", "an empty URI counts", root.issue(san=[uri("")]))
    two("spiffe-id-and-bytes", "a URI that is no text counts", root.issue(san=[uri(b"\xff\xfe")]))
    two("two-spiffe-ids-apart", "URI names are counted over all names",
        root.issue(san=[dns("web.a.test"), uri("spiffe://a.test/admin")]))
    two("two-ids-of-two-domains", "IDs of two trust domains are two URI names",
        root.issue(san=[uri("spiffe://b.test/web")]))
    two("a-hundred-ids", "a hundred URI names are refused as two are",
        root.issue(san=[uri("spiffe://a.test/w%d" % n) for n in range(99)]))
    two("two-spiffe-ids-of-a-server", "two SPIFFE IDs are none at a server either",
        root.issue(san=[uri("spiffe://a.test/admin")]), role="server")

    def broken(name, rule, value):
        suite.refuse(name, "svid.malformed", rule, "RFC 5280 §4.2.1.6", root.issue(None, san_value=value), root)
    broken("names-cut-short", "names that do not parse are no identity", names(uri(ID))[:-3])
    broken("bytes-after-the-names", "bytes after the list of names make it no DER", names(uri(ID)) + b"\x00")
    broken("names-that-are-no-sequence", "the names are a SEQUENCE", uri(ID))
    broken("length-of-a-name-beyond-the-list", "a name ends within the list", tlv(0x30, b"\x86\x7fspiffe://a.test/web"))


def critical_names():
    return {"spiffe_id": None, "san_value": names(uri(ID)), "san_critical": True}


def basic_constraint_cases(suite, root):
    def good(name, rule, **changes):
        suite.accept(name, rule, "X509-SVID §4.1", root.issue(**changes), root)

    def ca(name, rule, **changes):
        suite.refuse(name, "svid.is_ca", rule, "X509-SVID §4.1", root.issue(**changes), root, attack="I07")

    good("basic-constraints-absent", "without basicConstraints cA is false (RFC 5280 §4.2.1.9)", bc=None)
    good("basic-constraints-not-critical", "basicConstraints of a leaf need not be critical",
         bc=(basic_constraints(False), False))
    good("path-length-in-a-leaf", "a path length without cA says nothing", bc=(basic_constraints(False, 0), True))
    ca("ca", "a leaf has cA false", bc=(basic_constraints(True), True))
    ca("ca-not-critical", "cA counts where basicConstraints is not critical", bc=(basic_constraints(True), False))
    ca("ca-with-path-length-zero", "a CA that may sign leaves only is a CA", bc=(basic_constraints(True, 0), True))
    suite.refuse("ca-with-the-key-usage-of-a-ca", "svid.is_ca", "a signing certificate is no leaf",
                 "X509-SVID §3.2", root.issue(bc=(basic_constraints(True), True),
                                              ku=(key_usage("keyCertSign", "cRLSign"), True)), root, attack="I07")
    ca("ca-as-one", "a TRUE that is no DER is not taken for FALSE", bc=(sequence(tlv(0x01, b"\x01")), True))
    suite.refuse("ca-of-a-server", "svid.is_ca", "a server's leaf has cA false", "X509-SVID §4.1",
                 root.issue(bc=(basic_constraints(True), True)), root, attack="I07", role="server")
    suite.refuse("signing-certificate-of-the-domain", "svid.root_path",
                 "the ID of a signing certificate has no path, so it authenticates nobody", "X509-SVID §3.2",
                 root.issue("spiffe://a.test", bc=(basic_constraints(True), True),
                            ku=(key_usage("keyCertSign", "cRLSign"), True)), root, attack="I07")
    for name, rule, value in [
            ("basic-constraints-that-do-not-parse", "what does not parse says nothing", b"\x30\x05\x01"),
            ("bytes-after-the-basic-constraints", "bytes after its end make a value no DER",
             basic_constraints(False) + boolean(True)),
            ("basic-constraints-that-are-an-integer", "basicConstraints is a SEQUENCE", integer(1))]:
        suite.refuse(name, "svid.malformed", rule, "RFC 5280 §4.2.1.9", root.issue(bc=(value, True)), root)


def key_usage_cases(suite, root):
    def good(name, rule, *uses):
        suite.accept(name, rule, "X509-SVID §4.3", root.issue(ku=(key_usage(*uses), True)), root)

    def bad(name, rule, *uses, **more):
        leaf = root.issue(ku=(key_usage(*uses), True))
        suite.refuse(name, "svid.key_usage", rule, "X509-SVID §4.3", leaf, root, attack="I08", **more)

    good("key-encipherment-and-key-agreement", "keyEncipherment and keyAgreement may stand beside",
         "digitalSignature", "keyEncipherment", "keyAgreement")
    good("non-repudiation", "uses that a CA does not have may stand beside", "digitalSignature", "nonRepudiation")
    good("decipher-only", "a keyUsage of nine bits is read to its end",
         "digitalSignature", "keyAgreement", "decipherOnly")
    bad("key-cert-sign", "a leaf does not sign certificates", "digitalSignature", "keyCertSign")
    bad("crl-sign", "a leaf does not sign revocation lists", "digitalSignature", "cRLSign")
    bad("key-cert-sign-alone", "keyCertSign is refused without digitalSignature too", "keyCertSign")
    bad("key-cert-sign-of-a-server", "a server's leaf does not sign certificates",
        "digitalSignature", "keyCertSign", role="server")
    bad("no-digital-signature", "a leaf signs the handshake", "keyEncipherment", "keyAgreement")
    bad("no-digital-signature-of-a-server", "a server signs the handshake", "keyAgreement", role="server")
    bad("no-use-at-all", "an empty keyUsage allows nothing")
    suite.refuse("key-usage-absent", "svid.key_usage", "keyUsage is set on every SVID", "X509-SVID §4.3",
                 root.issue(ku=None), root, attack="I08")
    suite.refuse("key-usage-not-critical", "svid.key_usage", "keyUsage is critical", "X509-SVID §4.3",
                 root.issue(ku=(key_usage("digitalSignature"), False)), root, attack="I08")
    for name, rule, value in [
            ("key-usage-that-is-no-bit-string", "keyUsage is a BIT STRING", integer(0x80)),
            ("key-usage-with-a-ninth-unused-bit", "an octet has at most seven unused bits", b"\x03\x02\x08\x80"),
            ("key-usage-with-a-use-among-unused-bits", "unused bits are zero (X.690 §11.2.1)", b"\x03\x02\x03\x84"),
            ("bytes-after-the-key-usage", "bytes after its end make a value no DER",
             key_usage("digitalSignature") + key_usage("keyCertSign")),
            ("key-usage-cut-short", "what does not parse says nothing", b"\x03\x02\x07")]:
        suite.refuse(name, "svid.malformed", rule, "RFC 5280 §4.2.1.3", root.issue(ku=(value, True)), root)


def extended_key_usage_cases(suite, root):
    def good(name, rule, eku, **more):
        suite.accept(name, rule, "X509-SVID §4.4", root.issue(eku=eku), root, **more)

    def bad(name, rule, *uses, role="client"):
        leaf = root.issue(eku=(extended_key_usage(*uses), False))
        suite.refuse(name, "svid.extended_key_usage", rule, "X509-SVID §4.4", leaf, root, attack="I09", role=role)

    good("extended-key-usage-absent", "extendedKeyUsage is only recommended", None, attack="I09")
    good("extended-key-usage-of-a-server-absent", "extendedKeyUsage is only recommended", None,
         attack="I09", role="server")
    good("extended-key-usage-critical", "extendedKeyUsage may be critical", (extended_key_usage(SERVER, CLIENT), True))
    good("client-before-server", "the order of the uses does not matter", (extended_key_usage(CLIENT, SERVER), False))
    good("more-uses-beside-both", "other uses may stand beside the two",
         (extended_key_usage(SERVER, CLIENT, CODE_SIGNING), False))
    bad("server-use-only", "a client's leaf is fit for both ends", SERVER)
    bad("client-use-only", "a client's leaf is fit for both ends", CLIENT)
    bad("server-use-only-of-a-server", "a server's leaf is fit for both ends", SERVER, role="server")
    bad("client-use-only-of-a-server", "a server's leaf is fit for both ends", CLIENT, role="server")
    bad("any-use", "`any` names neither end", ANY_USE)
    bad("any-use-and-client", "`any` does not stand for serverAuth", ANY_USE, CLIENT)
    bad("code-signing-only", "a leaf for other uses is no SVID", CODE_SIGNING)
    for name, rule, value in [
            ("extended-key-usage-empty", "extendedKeyUsage names at least one use", sequence()),
            ("extended-key-usage-that-is-one-oid", "extendedKeyUsage is a SEQUENCE", oid(CLIENT)),
            ("bytes-after-the-extended-key-usage", "bytes after its end make a value no DER",
             extended_key_usage(SERVER, CLIENT) + b"\x00")]:
        reason = "svid.extended_key_usage" if value == sequence() else "svid.malformed"
        suite.refuse(name, reason, rule, "RFC 5280 §4.2.1.12", root.issue(eku=(value, False)), root, attack="I09")
