"""Issuers and paths: who may sign, how deep, in which order, and at what cost."""

from .case import Suite
from .certificates import (
    Authority, CLIENT, SERVER, basic_constraints, directory, distinguished_name, dns, email, extended_key_usage,
    ip, key_usage, name_constraints, names, uri)
from .der import boolean, integer, sequence

PATH = "X509-SVID §5.1"
KEY_USAGE, BASIC = "X509-SVID §4.3", "X509-SVID §4.1"
BUDGET = "RFC 5280 §6.1"


def cases():
    suite, root = Suite("chain"), Authority("a")
    shapes(suite, root)
    rights(suite, root)
    path_lengths(suite, root)
    constraints(suite, root)
    uri_constraints(suite, root)
    roots(suite, root)
    costs(suite, root)
    return suite.cases


def nested(authority, count, name="i"):
    for number in range(1, count + 1):
        authority = authority.intermediate("%s%d" % (name, number))
    return authority


def shapes(suite, root):
    one = nested(root, 1)
    for count in (1, 2, 6):
        suite.accept("intermediates-%d" % count, "a chain may have %d intermediates" % count, PATH,
                     nested(root, count).issue(), root)
    suite.accept("intermediates-of-a-server", "a server's chain is verified in the same way", PATH,
                 nested(root, 2).issue(), root, role="server")
    suite.refuse("intermediates-7", "trust.chain_length", "more than seven certificates are not read", BUDGET,
                 nested(root, 7).issue(), root, attack="I21")
    suite.refuse("intermediates-100", "trust.chain_length", "a hundred certificates cost no path building", BUDGET,
                 nested(root, 100).issue(), root, attack="I21")
    three = nested(root, 3).issue()
    suite.accept("reversed", "intermediates are found in any order", "RFC 8446 §4.4.2", three, root,
                 chain=three.chain[::-1], attack="I23")
    suite.accept("shuffled", "intermediates are found in any order", "RFC 8446 §4.4.2", three, root,
                 chain=[three.chain[1], three.chain[2], three.chain[0]], attack="I23")
    leaf = one.issue()
    stranger = Authority("x")
    suite.accept("with-its-root", "the root may be sent along", "RFC 8446 §4.4.2", leaf, root,
                 chain=[*leaf.chain, root])
    suite.accept("with-a-stranger", "certificates that do not belong to the chain are passed over",
                 "RFC 8446 §4.4.2", leaf, root, chain=[stranger.der, *leaf.chain, nested(stranger, 1).der],
                 attack="I23")
    suite.accept("with-the-leaf-again", "a leaf that is sent twice is one leaf", "RFC 8446 §4.4.2", leaf, root,
                 chain=[leaf.der, *leaf.chain], attack="I23")
    other = root.issue("spiffe://a.test/admin")
    suite.accept("with-another-leaf", "the ID is the first certificate's", "RFC 8446 §4.4.2", leaf, root,
                 chain=[*leaf.chain, other.der], attack="I23")
    suite.accept("with-rubbish", "what is no certificate is no issuer and is passed over", "RFC 8446 §4.4.2", leaf,
                 root, chain=[*leaf.chain, b"rubbish"], attack="I23")
    swapped = one.issue()
    swapped.der, swapped.key = one.der, one.key
    suite.refuse("issuer-before-the-leaf", "svid.no_uri_san", "the first certificate is the peer's",
                 "RFC 8446 §4.4.2", swapped, root, chain=[one.issue().der], attack="I23")
    suite.refuse("intermediate-missing", "trust.unknown_issuer", "a path reaches a root", PATH, leaf, root, chain=[])
    two = nested(root, 2).issue()
    suite.refuse("upper-intermediate-missing", "trust.unknown_issuer", "a path reaches a root", PATH, two, root,
                 chain=two.chain[:1])
    suite.accept("intermediate-as-a-root", "a bundle may hold a CA that another one signed",
                 "SPIFFE Trust Domain and Bundle §4", leaf, one)
    suite.refuse("root-sent-but-not-trusted", "trust.unknown_issuer", "a root counts only from the bundle", PATH,
                 stranger.issue(), root, chain=[stranger.der])
    suite.refuse("self-signed-leaf", "trust.unknown_issuer", "a leaf does not vouch for itself", PATH,
                 self_signed(), root)
    suite.accept("leaf-without-authority-key-id", "authorityKeyIdentifier only helps to find an issuer",
                 "RFC 5280 §4.2.1.1", root.issue(aki=None), root)
    suite.accept("authority-key-id-of-another-key", "authorityKeyIdentifier decides nothing",
                 "RFC 5280 §4.2.1.1", root.issue(aki=(b"\x30\x16\x80\x14" + bytes(20), False)), root)


def self_signed():
    me = Authority("leaf", key_name="leaf")
    return me.issue(key_name="leaf")


def rights(suite, root):
    def by(name, rule, reason, section, **changes):
        role = changes.pop("role", "client")
        leaf = root.intermediate(name, **changes).issue()
        suite.refuse(name, reason, rule, section, leaf, root, role=role, attack="I16")

    def good(name, rule, section, **changes):
        role = changes.pop("role", "client")
        suite.accept(name, rule, section, root.intermediate(name, **changes).issue(), root, role=role)

    ca, usage = "trust.issuer_not_ca", "trust.issuer_key_usage"
    by("issuer-without-ca", "an issuer has cA true", ca, BASIC, bc=(basic_constraints(False), True))
    by("issuer-without-basic-constraints", "an issuer has basicConstraints", ca, BASIC, bc=None)
    by("issuer-without-key-cert-sign", "an issuer may sign certificates", usage, KEY_USAGE,
       ku=(key_usage("cRLSign", "digitalSignature"), True))
    by("issuer-without-key-usage", "an issuer has keyUsage", usage, KEY_USAGE, ku=None)
    by("issuer-with-empty-key-usage", "an empty keyUsage allows nothing", usage, KEY_USAGE, ku=(key_usage(), True))
    by("issuer-without-ca-of-a-server", "a server's issuer has cA true", ca, BASIC,
       bc=(basic_constraints(False), True), role="server")
    by("issuer-for-servers-only", "an issuer for servers vouches for no client", "trust.extended_key_usage",
       "X509-SVID §4.4", eku=(extended_key_usage(SERVER), False))
    by("issuer-for-clients-only", "an issuer for clients vouches for no server", "trust.extended_key_usage",
       "X509-SVID §4.4", eku=(extended_key_usage(CLIENT), False), role="server")
    good("issuer-for-clients", "an issuer's extendedKeyUsage may allow this end alone", "X509-SVID §4.4",
         eku=(extended_key_usage(CLIENT), False))
    good("issuer-for-servers", "an issuer's extendedKeyUsage may allow this end alone", "X509-SVID §4.4",
         eku=(extended_key_usage(SERVER), False), role="server")
    good("issuer-that-signs-certificates-only", "cRLSign is not needed", KEY_USAGE,
         ku=(key_usage("keyCertSign"), True))
    good("issuer-whose-constraints-are-not-critical", "RFC 5280 §6.1.4 (k) asks for cA, not for the mark",
         "RFC 5280 §6.1.4", bc=(basic_constraints(True), False))
    good("issuer-whose-key-usage-is-not-critical", "keyUsage of a CA that is no SVID need not be critical",
         "RFC 5280 §4.2.1.3", ku=(key_usage("keyCertSign"), False))
    by("issuer-that-is-an-svid-and-its-key-usage-is-not-critical", "keyUsage is critical on every SVID", usage,
       KEY_USAGE, ku=(key_usage("keyCertSign"), False), san=(names(uri("spiffe://a.test")), False))
    by("issuer-whose-id-has-a-path", "the ID of a signing certificate has no path", "trust.issuer_id",
       "X509-SVID §3.2", san=(names(uri("spiffe://a.test/ca")), False))
    by("issuer-with-two-ids", "a signing certificate that is an SVID has one URI name", "trust.issuer_id",
       "X509-SVID §2", san=(names(uri("spiffe://a.test"), uri("spiffe://b.test")), False))
    by("issuer-whose-id-is-not-canonical", "the ID of a signing certificate is an ID", "trust.issuer_id",
       "SPIFFE-ID §2.1", san=(names(uri("spiffe://A.test")), False))
    good("issuer-with-the-id-of-another-domain", "the ID of a signing certificate only should be of its leaves' domain",
         "X509-SVID §3.2", san=(names(uri("spiffe://b.test")), False))
    good("issuer-with-another-uri", "a CA that is no SVID may have any name", "RFC 5280 §4.2.1.6",
         san=(names(uri("https://a.test/ca")), False))
    good("issuer-with-the-id-of-its-domain", "a signing certificate may itself carry the trust domain's ID",
         "X509-SVID §3.2", san=(names(uri("spiffe://a.test")), False))
    workload = root.issue("spiffe://a.test/mallory", key_name="mallory")
    forged = Authority("SPIRE", key_name="mallory", subject=distinguished_name("", "SPIRE"))
    suite.refuse("leaf-as-an-issuer", "trust.issuer_not_ca", "a workload's key signs nobody", BASIC,
                 forged.issue("spiffe://a.test/admin"), root, chain=[workload.der], attack="I16")
    suite.refuse("bytes-after-an-intermediate", "trust.malformed", "nothing follows an intermediate's certificate",
                 "RFC 5280 §4.1", root.intermediate("tail", tail=b"\x00").issue(), root, attack="I21")
    tampered = root.issue(change_signature=lambda der: der[:-1] + bytes([der[-1] ^ 1]))
    suite.refuse("signature-changed-in-a-leaf", "trust.bad_signature", "each signature is its issuer's",
                 "RFC 5280 §6.1.3", tampered, root)
    tampered = root.intermediate("i", change_signature=lambda der: der[:-1] + bytes([der[-1] ^ 1]))
    suite.refuse("signature-changed-in-an-intermediate", "trust.bad_signature", "each signature is its issuer's",
                 "RFC 5280 §6.1.3", tampered.issue(), root)
    suite.refuse("signature-empty", "trust.bad_signature", "no signature is not a signature", "RFC 5280 §6.1.3",
                 root.issue(change_signature=lambda der: b""), root)
    zeros = sequence(integer(0), integer(0))
    suite.refuse("signature-of-zeros", "trust.bad_signature", "r and s are not zero (CVE-2022-21449)",
                 "RFC 5280 §6.1.3", root.issue(change_signature=lambda der: zeros), root)
    suite.refuse("body-changed", "trust.bad_signature", "a signature covers the whole body", "RFC 5280 §6.1.3",
                 root.issue(raw=lambda der: der.replace(b"/web", b"/wex")), root)


def path_lengths(suite, root):
    def limited(authority, name, most, **changes):
        return authority.intermediate(name, bc=(basic_constraints(True, most), True), **changes)

    def limited_root(most):
        return Authority("limited", bc=(basic_constraints(True, most), True))

    section, reason = "RFC 5280 §4.2.1.9", "trust.path_length"
    last = limited(root, "last", 0)
    suite.accept("path-length-0-at-the-last-ca", "a path length of 0 allows a leaf", section, last.issue(), root)
    suite.refuse("path-length-0-exceeded", reason, "a path length of 0 allows no CA below", section,
                 nested(last, 1).issue(), root, attack="I16")
    suite.accept("path-length-met", "a path length may be used up", section,
                 nested(limited(root, "first", 2), 2).issue(), root)
    suite.refuse("path-length-exceeded", reason, "a path length counts the CAs below", section,
                 nested(limited(root, "first", 2), 3).issue(), root, attack="I16")
    suite.refuse("path-length-does-not-grow-below", reason, "a CA below cannot allow more than the one above", section,
                 nested(limited(limited(root, "first", 1), "second", 5), 2).issue(), root, attack="I16")
    zero, one = limited_root(0), limited_root(1)
    suite.accept("path-length-0-of-a-root", "a root's path length of 0 allows a leaf", section, zero.issue(), zero)
    suite.refuse("path-length-0-of-a-root-exceeded", reason, "a root's path length holds too", section,
                 nested(zero, 1).issue(), zero, attack="I16")
    suite.accept("path-length-of-a-root-met", "a root's path length may be used up", section,
                 nested(one, 1).issue(), one)
    suite.refuse("path-length-of-a-root-exceeded", reason, "a root's path length holds too", section,
                 nested(one, 2).issue(), one, attack="I16")
    renewed = limited(root, "self", 0)
    again = renewed.intermediate("self", key_name="self again")
    suite.accept("path-length-self-issued", "a CA that renews its own key is not counted", section, again.issue(), root)
    again = zero.intermediate("limited", key_name="limited again")
    suite.accept("path-length-of-a-root-self-issued", "a root that renews its own key is not counted", section,
                 again.issue(), zero)
    suite.refuse("path-length-negative", "trust.malformed", "a path length is not negative", section,
                 root.intermediate("negative", bc=(sequence(boolean(True), integer(-1)), True)).issue(), root)


def constraints(suite, root):
    section, reason = "RFC 5280 §4.2.1.10", "trust.name_constraints"

    def ca(name, permitted=(), excluded=(), critical=True):
        return root.intermediate(name, nc=(name_constraints(permitted, excluded), critical))

    def good(name, rule, authority, *san, **more):
        suite.accept(name, rule, section, authority.issue(san=san, **more), root, attack="I19")

    def bad(name, rule, authority, *san, **more):
        suite.refuse(name, reason, rule, section, authority.issue(san=san, **more), root, attack="I19")

    own = ca("dns", [dns("a.test")])
    good("dns-permitted", "a DNS name within a permitted subtree is allowed", own, dns("web.a.test"))
    good("dns-permitted-itself", "a permitted name itself is allowed", own, dns("a.test"))
    good("dns-permitted-but-none", "a constraint on DNS names binds no leaf without one", own)
    bad("dns-not-permitted", "a DNS name outside the permitted subtrees is not allowed", own, dns("web.b.test"))
    bad("dns-ends-alike", "a subtree begins at a label", own, dns("xa.test"))
    bad("dns-one-of-two-not-permitted", "every DNS name is within the subtrees", own,
        dns("web.a.test"), dns("web.b.test"))
    bad("dns-not-permitted-not-critical", "a constraint that is not critical holds too",
        ca("dns noncritical", [dns("a.test")], critical=False), dns("web.b.test"))
    without = ca("dns excluded", excluded=[dns("internal.a.test")])
    good("dns-not-excluded", "a DNS name outside the excluded subtrees is allowed", without, dns("web.a.test"))
    bad("dns-excluded", "a DNS name within an excluded subtree is not allowed", without, dns("db.internal.a.test"))
    both = ca("dns both", [dns("a.test")], [dns("internal.a.test")])
    bad("dns-permitted-and-excluded", "what is excluded is not allowed where it is permitted too", both,
        dns("db.internal.a.test"))
    narrow = own.intermediate("dns wider", nc=(name_constraints([dns("test")]), True))
    bad("dns-widened-below", "a CA below cannot permit more than the one above", narrow, dns("web.b.test"))
    net = ca("ip", [ip(10, 0, 0, 0, 255, 0, 0, 0)])
    good("ip-permitted", "an IP address within a permitted network is allowed", net, ip(10, 1, 2, 3))
    bad("ip-not-permitted", "an IP address outside the permitted networks is not allowed", net, ip(192, 0, 2, 1))
    bad("ip-excluded", "an IP address within an excluded network is not allowed",
        ca("ip excluded", excluded=[ip(10, 0, 0, 0, 255, 0, 0, 0)]), ip(10, 1, 2, 3))
    bad("ip-mask-with-gaps", "a network's mask has no gaps", ca("ip mask", [ip(10, 0, 0, 0, 255, 0, 255, 0)]),
        ip(10, 1, 2, 3))
    mail = ca("email", [email("a.test")])
    good("email-permitted-but-none", "a constraint on e-mail addresses binds no leaf without one", mail)
    bad("email-not-permitted", "an e-mail address outside the permitted hosts is not allowed", mail,
        email("web@b.test"))
    bad("email-excluded", "an e-mail address at an excluded host is not allowed",
        ca("email excluded", excluded=[email("a.test")]), email("web@a.test"))
    people = ca("directory", [directory(distinguished_name("", "SPIRE"))])
    bad("directory-name-not-permitted", "a subject outside the permitted subtrees is not allowed", people,
        subject=distinguished_name("web", "Elsewhere"))
    bad("directory-name-excluded", "a subject within an excluded subtree is not allowed",
        ca("directory excluded", excluded=[directory(distinguished_name("", "SPIRE"))]))
    leaf = root.issue(nc=(name_constraints([dns("a.test")]), True))
    suite.refuse("constraints-in-a-leaf", "svid.critical_extension", "only a CA has name constraints", section, leaf,
                 root)


def uri_constraints(suite, root):
    """RFC 5280 lets a validator refuse what it does not process; it may not overlook it."""
    section, reason = "X509-SVID §4.2", "trust.uri_name_constraints"

    def refuse(name, rule, permitted=(), excluded=(), critical=True, id="spiffe://a.test/web"):
        ca = root.intermediate("uri", nc=(name_constraints(permitted, excluded), critical))
        suite.refuse("uri-" + name, reason, rule, section, ca.issue(id), root, attack="I18")

    refuse("permitted", "a constraint on URIs is refused by its name, a match too", [uri("a.test")])
    refuse("permitted-subdomains", "a constraint on hosts below is not the trust domain", [uri(".a.test")])
    refuse("not-permitted", "an ID outside the permitted trust domains is not allowed", [uri("b.test")])
    refuse("one-of-two-permitted", "several permitted trust domains are refused alike", [uri("b.test"), uri("a.test")])
    refuse("excluded", "an ID in an excluded trust domain is not allowed", excluded=[uri("a.test")])
    refuse("excluded-other", "an exclusion that does not match is refused by its name too", excluded=[uri("b.test")])
    refuse("not-critical", "a constraint on URIs that is not critical holds too", [uri("b.test")], critical=False)
    refuse("with-scheme", "a constraint is a host, not an ID", [uri("spiffe://a.test")])
    constrained = Authority("uri root", nc=(name_constraints([uri("b.test")]), True))
    suite.refuse("uri-not-permitted-by-a-root", reason, "a root's constraint on URIs holds too", section,
                 constrained.issue(), constrained, attack="I18")
    constrained = Authority("dns root", nc=(name_constraints([dns("a.test")]), True))
    suite.accept("dns-permitted-by-a-root", "a root's constraint on DNS names may match", "RFC 5280 §4.2.1.10",
                 constrained.issue(san=[dns("web.a.test")]), constrained, attack="I19")
    suite.refuse("dns-not-permitted-by-a-root", "trust.name_constraints", "a root's constraint on DNS names holds",
                 "RFC 5280 §4.2.1.10", constrained.issue(san=[dns("web.b.test")]), constrained, attack="I19")


def roots(suite, root):
    section, not_ca = "X509-SVID §3.2", "trust.issuer_not_ca"

    def unusable(name, reason, rule, **changes):
        one = Authority(name, **changes)
        suite.refuse(name, reason, rule, section, one.issue(), [root, one], attack="I16")
        suite.accept(name + "-beside-a-good-root", "a root that signs nothing spoils no other", section,
                     root.issue(), [one, root])

    unusable("root-without-ca", not_ca, "a root is a CA", bc=(basic_constraints(False), True))
    unusable("root-without-basic-constraints", not_ca, "a root is a CA and says so", bc=None)
    unusable("root-without-key-cert-sign", "trust.issuer_key_usage", "a root may sign certificates",
             ku=(key_usage("cRLSign"), True))
    unusable("root-that-is-a-leaf", not_ca, "a leaf in a bundle vouches for nobody",
             bc=(basic_constraints(False), True), ku=(key_usage("digitalSignature"), True),
             san=(names(uri("spiffe://a.test/web")), False))
    alone = Authority("no ca", bc=(basic_constraints(False), True))
    suite.refuse("only-root-without-ca", not_ca, "a bundle without a usable root trusts nobody",
                 "SPIFFE Trust Domain and Bundle §4.1.3", alone.issue(), alone, attack="I16")
    suite.accept("root-without-key-usage", "a root that is older than SPIFFE may lack keyUsage", "RFC 5280 §6.1.1",
                 Authority("old", ku=None).issue(), Authority("old", ku=None))
    namesake = Authority("a", key_name="another a")
    suite.refuse("root-of-the-same-name", "trust.unknown_issuer", "a key identifier tells a CA from its namesake", PATH,
                 namesake.issue(), root)
    suite.refuse("root-of-the-same-name-without-key-id", "trust.bad_signature", "a name does not make an issuer", PATH,
                 namesake.issue(aki=None), root)
    suite.accept("two-roots-of-one-name-first", "of two CAs with one name the one that signed counts", PATH,
                 root.issue(), [root, namesake])
    suite.accept("two-roots-of-one-name-second", "of two CAs with one name the one that signed counts", PATH,
                 namesake.issue(), [root, namesake])
    leaf = nested(root, 1).issue()
    twin = root.intermediate("i1", key_name="another i1")
    suite.accept("two-intermediates-of-one-name", "of two CAs with one name the one that signed counts", PATH,
                 leaf, root, chain=[twin.der, *leaf.chain])
    cross = root.intermediate("new root", key_name="new root")
    new = Authority("new root")
    suite.accept("rotation-by-cross-signing", "a new root is trusted through the old one that signed it", PATH,
                 new.issue(), root, chain=[cross.der])
    suite.accept("rotation-with-overlap", "old and new root stand in a bundle together",
                 "SPIFFE Federation §4.1", new.issue(), [root, new])
    suite.refuse("rotation-ended", "trust.unknown_issuer", "a root that left the bundle vouches for nobody",
                 "SPIFFE Federation §4.1", root.issue(), new)


def costs(suite, root):
    namesakes = [Authority("a", key_name="namesake %d" % n) for n in range(100)]
    suite.accept("roots-of-one-name-50", "fifty roots of one name are tried", BUDGET, root.issue(),
                 [*namesakes[:49], root], attack="I21")
    suite.accept("roots-of-one-name-101", "the key identifier finds a root among a hundred of its name", BUDGET,
                 root.issue(), [*namesakes, root], attack="I21")
    strangers = [Authority("a", key_name="s%d" % n).intermediate("a", key_name="t%d" % n).der for n in range(6)]
    suite.refuse("every-ca-of-one-name", "trust.path_budget", "building a path takes a bounded number of steps",
                 BUDGET, root.issue(), namesakes[0], chain=strangers, attack="I21")
    suite.accept("every-ca-of-one-name-beside-the-root", "a path that is there is found among many that are none",
                 BUDGET, root.issue(), root, chain=strangers[:4], attack="I21")
    one = Authority("cycle one", parent=Authority("cycle two"))
    two = Authority("cycle two", parent=Authority("cycle one"))
    suite.refuse("cycle", "trust.unknown_issuer", "CAs that vouch for each other reach no root", BUDGET,
                 one.issue(), root, chain=[one.der, two.der], attack="I21")
    own = Authority("own", parent=Authority("own"))
    suite.refuse("cycle-of-one", "trust.unknown_issuer", "a CA that vouches for itself reaches no root", BUDGET,
                 own.issue(), root, chain=[own.der] * 2, attack="I21")
    many = root.intermediate("nc", nc=(name_constraints([dns("n%d.test" % n) for n in range(500)]), True))
    leaf = many.issue(san=[dns("w%d.n499.test" % n) for n in range(600)])
    suite.refuse("many-names-under-many-constraints", "trust.path_budget",
                 "comparing names takes a bounded number of steps", BUDGET, leaf, root, attack="I21")
