"""Certificate revocation lists, as the Workload API's field `crl` gives them."""

from .case import Suite
from .certificates import Authority, extension, key_usage
from .der import boolean, integer, sequence, tlv

SECTION = "RFC 5280 §6.3"
LEAF, ISSUER = "svid.revoked", "trust.revoked"


def cases():
    suite, root = Suite("crls"), Authority("a")
    leaf, other = root.issue(), root.issue("spiffe://a.test/admin")
    below = root.intermediate("i")
    deep = below.issue()
    reasons = [extension("crl_reason", tlv(0x0A, b"\x01"))]

    def good(name, rule, lists, of=leaf, roots=root, **more):
        suite.accept(name, rule, SECTION, of, roots, crls=lists, **more)

    def bad(name, reason, rule, lists, of=leaf, roots=root, **more):
        suite.refuse(name, reason, rule, SECTION, of, roots, crls=lists, **more)

    good("empty", "a list that revokes nothing refuses nobody", [root.crl()])
    good("another-serial", "a list refuses only the serial numbers on it", [root.crl(other.serial)])
    good("none-for-the-issuer", "where an issuer has no list nothing is known to be revoked", [below.crl(leaf.serial)])
    bad("leaf-revoked", LEAF, "a leaf whose serial number is on its issuer's list is refused", [root.crl(leaf.serial)])
    bad("leaf-revoked-of-a-server", LEAF, "a server's leaf is refused too", [root.crl(leaf.serial)], role="server")
    bad("leaf-revoked-among-many", LEAF, "a long list is read to its end",
        [root.crl(*range(1, 500), leaf.serial)])
    bad("leaf-revoked-with-a-reason", LEAF, "an entry may have extensions",
        [root.crl(leaf.serial, entry_extensions=[sequence(*reasons)])])
    bad("leaf-revoked-below-an-intermediate", LEAF, "an intermediate's list counts for its leaves",
        [below.crl(deep.serial)], of=deep)
    bad("intermediate-revoked", ISSUER, "a revoked intermediate vouches for nobody", [root.crl(below.serial)], of=deep)
    good("leaf-s-serial-on-the-root-s-list", "a serial number counts for its own issuer", [root.crl(deep.serial)], of=deep)
    good("two-lists", "each issuer has its own list", [root.crl(other.serial), below.crl(other.serial)], of=deep)
    bad("two-lists-and-one-revokes", LEAF, "each issuer's list counts",
        [root.crl(other.serial), below.crl(deep.serial)], of=deep)
    bad("revoked-before-it-began", LEAF, "the date of the revocation does not matter",
        [root.crl(leaf.serial, begin="2019-01-01T00:00:00Z")])
    good("overdue", "a list whose next one is overdue refuses nobody but those on it",
         [root.crl(begin="2026-05-01T00:00:00Z", end="2026-05-31T23:59:59Z")])
    bad("overdue-and-leaf-revoked", LEAF, "what an old list revokes stays revoked",
        [root.crl(leaf.serial, begin="2026-05-01T00:00:00Z", end="2026-05-31T23:59:59Z")])
    stranger = Authority("x")
    good("by-a-stranger", "a list of a CA outside the bundle counts for nobody", [stranger.crl(leaf.serial)])
    namesake = Authority("a", key_name="another a")
    good("signed-by-a-namesake", "a list counts only with its issuer's signature", [namesake.crl(leaf.serial)])
    good("signature-changed", "a list counts only with its issuer's signature",
         [root.crl(leaf.serial, change_signature=lambda der: der[:-1] + bytes([der[-1] ^ 1]))])
    b = Authority("b")
    good("by-a-federated-ca-with-our-name", "a federated CA cannot revoke what is ours",
         [Authority("a", key_name="federated").crl(leaf.serial)],
         roots={"a.test": root, "b.test": [b, Authority("a", key_name="federated")]})
    silent = root.intermediate("silent", ku=(key_usage("keyCertSign"), True))
    own = silent.issue()
    good("issuer-without-crl-sign", "a CA without cRLSign issues no lists", [silent.crl(own.serial)], of=own)
    federated = b.issue("spiffe://b.test/web")
    bad("leaf-of-a-federated-domain-revoked", LEAF, "a federated domain's list counts for that domain",
        [b.crl(federated.serial)], of=federated, roots={"a.test": root, "b.test": b})
    critical = root.crl(other.serial, extensions=[
        extension("aki", sequence(tlv(0x80, root.key.identifier()))), extension("crl_number", integer(1)),
        extension("unknown", integer(1), critical=True)])
    good("unknown-critical-extension", "a list with a critical extension that is not known is not used", [critical])
    delta = root.crl(leaf.serial, extensions=[
        extension("aki", sequence(tlv(0x80, root.key.identifier()))), extension("crl_number", integer(2)),
        extension("delta", integer(1), critical=True)])
    good("delta", "a delta list alone is not used", [delta])
    ours_only = root.crl(other.serial, extensions=[
        extension("aki", sequence(tlv(0x80, root.key.identifier()))), extension("crl_number", integer(1)),
        extension("idp", sequence(tlv(0x82, boolean(True)[2:])), critical=True)])
    good("for-cas-only", "a list of CA certificates says nothing of a leaf", [ours_only])
    good("rubbish", "what is no list revokes nothing", [b"rubbish"])
    good("rubbish-beside-a-list", "what is no list does not spoil another", [b"rubbish", root.crl(other.serial)])
    bad("rubbish-beside-a-list-that-revokes", LEAF, "what is no list does not spoil another",
        [b"rubbish", root.crl(leaf.serial)])
    return suite.cases
