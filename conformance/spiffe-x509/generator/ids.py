"""SPIFFE IDs in the one URI name of a leaf: what is canonical is kept as it is, all else refused."""

from .case import Suite
from .certificates import Authority

BAD = "svid.noncanonical_id"
DOMAIN, PATH = "SPIFFE-ID §2.1", "SPIFFE-ID §2.2"

# name, ID, trust domain
CANONICAL = [
    ("one-segment", "spiffe://a.test/web", "a.test", PATH, "a path of one segment is an ID"),
    ("kubernetes-form", "spiffe://a.test/ns/shop/sa/orders", "a.test", PATH, "a path of several segments is an ID"),
    ("upper-case-path", "spiffe://a.test/Web", "a.test", "SPIFFE-ID §2.4", "the case of a path is kept"),
    ("three-dots", "spiffe://a.test/...", "a.test", PATH, "three dots are a name like any other"),
    ("leading-dots", "spiffe://a.test/.x/..y", "a.test", PATH, "a segment may begin with dots"),
    ("trailing-dots", "spiffe://a.test/x./y..", "a.test", PATH, "a segment may end with dots"),
    ("all-path-characters", "spiffe://a.test/ABCDEFGHIJKLMNOPQRSTUVWXYZ/abcdefghijklmnopqrstuvwxyz/0123456789.-_",
     "a.test", PATH, "a path holds letters of both cases, digits, `.`, `-` and `_`"),
    ("all-domain-characters", "spiffe://abcdefghijklmnopqrstuvwxyz0123456789.-_/web",
     "abcdefghijklmnopqrstuvwxyz0123456789.-_", DOMAIN, "a trust domain holds a-z, digits, `.`, `-` and `_`"),
    ("domain-like-an-ipv4-address", "spiffe://10.1.2.3/web", "10.1.2.3", DOMAIN,
     "a trust domain that looks like an IPv4 address is a name like any other"),
    ("domain-of-punctuation", "spiffe://.-_/web", ".-_", DOMAIN, "a trust domain need not be a DNS name"),
    ("domain-ending-in-a-dot", "spiffe://a.test./web", "a.test.", DOMAIN,
     "a trust domain that ends in a dot is a name of its own"),
    ("domain-of-one-letter", "spiffe://a/web", "a", DOMAIN, "a trust domain may be one letter"),
    ("domain-of-255-bytes", "spiffe://%s/web" % ("t" * 255), "t" * 255, "SPIFFE-ID §2.3",
     "a trust domain may have 255 bytes"),
    ("id-of-2048-bytes", "spiffe://a.test/" + "p" * 2032, "a.test", "SPIFFE-ID §2.3",
     "an ID may have 2048 bytes"),
]

SCHEME = [
    ("scheme-in-upper-case", "SPIFFE://a.test/web", "I11"),
    ("scheme-in-mixed-case", "Spiffe://a.test/web", "I11"),
    ("scheme-https", "https://a.test/web", "I11"),
    ("scheme-urn", "urn:spiffe:a.test:web", "I11"),
    ("scheme-longer", "xspiffe://a.test/web", "I11"),
    ("no-scheme", "a.test/web", "I11"),
    ("scheme-relative", "//a.test/web", "I11"),
    ("one-slash-after-the-scheme", "spiffe:/a.test/web", "I11"),
    ("no-slashes-after-the-scheme", "spiffe:a.test/web", "I11"),
    ("leading-space", " spiffe://a.test/web", "I12"),
    ("byte-order-mark", "\ufeffspiffe://a.test/web", "I12"),
    ("empty-text", "", "I12"),
    ("leading-nul", "\0spiffe://a.test/web", "I12"),
]

DOMAINS = [
    ("domain-empty", "spiffe:///web", "I11", "is not empty"),
    ("domain-in-upper-case", "spiffe://A.test/web", "I11", "is in lower case"),
    ("port", "spiffe://a.test:443/web", "I11", "has no port"),
    ("empty-port", "spiffe://a.test:/web", "I11", "has no port, not even an empty one"),
    ("user", "spiffe://admin@a.test/web", "I11", "has no user"),
    ("user-and-password", "spiffe://admin:secret@a.test/web", "I11", "has no user and no password"),
    ("empty-user", "spiffe://@a.test/web", "I11", "has no user, not even an empty one"),
    ("user-that-hides-the-host", "spiffe://a.test@b.test/web", "I11", "is not what stands before an at sign"),
    ("percent-encoding-in-the-domain", "spiffe://a%2etest/web", "I12", "has no percent-encoding"),
    ("ipv6-address", "spiffe://[::1]/web", "I12", "is no IPv6 address"),
    ("wildcard", "spiffe://*.test/web", "I12", "has no wildcard"),
    ("space-in-the-domain", "spiffe://a test/web", "I12", "has no space"),
    ("backslash-in-the-domain", "spiffe://a.test\\web", "I12", "has no backslash"),
    ("query-after-the-domain", "spiffe://a.test?web", "I11", "has no query"),
    ("fragment-after-the-domain", "spiffe://a.test#web", "I11", "has no fragment"),
    ("nul-in-the-domain", "spiffe://a.test\0.evil.test/web", "I12", "holds no NUL, at which C would stop reading"),
    ("line-break-in-the-domain", "spiffe://a.test\r\n/web", "I13", "has no line break"),
    ("unicode-in-the-domain", "spiffe://ä.test/web", "I12", "is ASCII"),
    ("cyrillic-letter-in-the-domain", "spiffe://\u0430.test/web", "I12", "has no letter that only looks like `a`"),
    ("latin-1-byte-in-the-domain", b"spiffe://\xe4.test/web", "I12", "has no byte above 0x7f"),
    ("full-width-dot-in-the-domain", "spiffe://a\uff0etest/web", "I12", "has no character that folds to a dot"),
    ("tilde-in-the-domain", "spiffe://~a.test/web", "I12", "has no tilde"),
]

PATHS = [
    ("slash-alone", "spiffe://a.test/", "I10", "a path is not a slash alone"),
    ("trailing-slash", "spiffe://a.test/web/", "I12", "a path does not end in a slash"),
    ("empty-segment", "spiffe://a.test//web", "I12", "no segment is empty"),
    ("empty-segment-inside", "spiffe://a.test/ns//web", "I12", "no segment is empty"),
    ("dot-segment", "spiffe://a.test/./web", "I12", "no segment is a dot"),
    ("dot-segment-at-the-end", "spiffe://a.test/web/.", "I12", "no segment is a dot"),
    ("two-dot-segment", "spiffe://a.test/web/../admin", "I12", "no segment is two dots"),
    ("two-dot-segment-at-the-end", "spiffe://a.test/web/..", "I12", "no segment is two dots"),
    ("encoded-slash", "spiffe://a.test/ns%2Fweb", "I12", "a path has no percent-encoding"),
    ("encoded-dots", "spiffe://a.test/%2e%2e/admin", "I12", "a path has no percent-encoding"),
    ("encoded-letter", "spiffe://a.test/%77eb", "I12", "a path has no percent-encoding, where it means a legal letter either"),
    ("encoded-nul", "spiffe://a.test/web%00", "I12", "a path has no percent-encoding"),
    ("percent-sign", "spiffe://a.test/100%", "I12", "a path has no percent sign"),
    ("query", "spiffe://a.test/web?x=1", "I11", "an ID has no query"),
    ("empty-query", "spiffe://a.test/web?", "I11", "an ID has no query, not even an empty one"),
    ("fragment", "spiffe://a.test/web#x", "I11", "an ID has no fragment"),
    ("empty-fragment", "spiffe://a.test/web#", "I11", "an ID has no fragment, not even an empty one"),
    ("space", "spiffe://a.test/my web", "I12", "a path has no space"),
    ("trailing-space", "spiffe://a.test/web ", "I12", "a path has no space"),
    ("trailing-line-break", "spiffe://a.test/web\n", "I13", "a path has no line break"),
    ("carriage-return", "spiffe://a.test/web\r\nspiffe://a.test/admin", "I13", "a path has no line break"),
    ("terminal-escape", "spiffe://a.test/\x1b[31mweb", "I13", "a path has no control character"),
    ("nul-inside", "spiffe://a.test/web\0/admin", "I12", "a path holds no NUL, at which C would stop reading"),
    ("nul-at-the-end", "spiffe://a.test/web\0", "I12", "a path holds no NUL, at which C would stop reading"),
    ("delete-character", "spiffe://a.test/web\x7f", "I12", "a path has no control character"),
    ("backslash", "spiffe://a.test/ns\\web", "I12", "a path has no backslash"),
    ("colon", "spiffe://a.test/web:8080", "I12", "a path has no colon"),
    ("at-sign", "spiffe://a.test/web@home", "I12", "a path has no at sign"),
    ("semicolon", "spiffe://a.test/web;x=1", "I12", "a path has no semicolon"),
    ("comma", "spiffe://a.test/web,spiffe://a.test/admin", "I12", "a path has no comma"),
    ("plus-sign", "spiffe://a.test/a+b", "I12", "a path has no plus sign"),
    ("asterisk", "spiffe://a.test/*", "I12", "a path has no asterisk"),
    ("tilde", "spiffe://a.test/~web", "I12", "a path has no tilde"),
    ("unicode", "spiffe://a.test/wéb", "I12", "a path is ASCII"),
    ("full-width-slash", "spiffe://a.test/ns\uff0fweb", "I12", "a path has no character that folds to a slash"),
    ("direction-override", "spiffe://a.test/\u202ebew", "I13", "a path has no character that turns text around"),
    ("latin-1-byte", b"spiffe://a.test/w\xe9b", "I12", "a path has no byte above 0x7f"),
    ("overlong-utf-8", b"spiffe://a.test/\xc0\xafadmin", "I12", "a path has no byte above 0x7f"),
]


def cases():
    suite, root = Suite("ids"), Authority("a")
    for name, text, domain, section, rule in CANONICAL:
        suite.accept(name, rule, section, root.issue(text), {domain: root}, id=text)
    for name, text, attack in SCHEME:
        rule = "an ID begins with `spiffe://`, letter for letter"
        suite.refuse(name, BAD, rule, "SPIFFE-ID §2", root.issue(text), root, attack=attack)
    for name, text, attack, rule in DOMAINS:
        suite.refuse(name, BAD, "a trust domain " + rule, DOMAIN, root.issue(text), root, attack=attack)
    for name, text, attack, rule in PATHS:
        suite.refuse(name, BAD, rule, PATH, root.issue(text), root, attack=attack)
    long_name = "t" * 256
    suite.refuse("domain-of-256-bytes", BAD, "a trust domain has at most 255 bytes", "SPIFFE-ID §2.3",
                 root.issue("spiffe://%s/web" % long_name), root, attack="I12")
    suite.refuse("id-of-2049-bytes", BAD, "an ID has at most 2048 bytes", "SPIFFE-ID §2.3",
                 root.issue("spiffe://a.test/" + "p" * 2033), root, attack="I12")
    suite.refuse("no-path", "svid.root_path", "the ID of a leaf has a path", "X509-SVID §3.1",
                 root.issue("spiffe://a.test"), root, attack="I10")
    server = dict(role="server")
    suite.refuse("no-path-of-a-server", "svid.root_path", "the ID of a server's leaf has a path too",
                 "X509-SVID §3.1", root.issue("spiffe://a.test"), root, attack="I10", **server)
    suite.refuse("upper-case-id-of-a-server", BAD, "a server's ID is not repaired either", "SPIFFE-ID §2.1",
                 root.issue("spiffe://A.TEST/web"), root, attack="I11", **server)
    return suite.cases
