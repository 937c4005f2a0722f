"""Trust domains: a chain counts under the bundle of the domain that its leaf names, and under no other."""

from .case import Suite
from .certificates import Authority

OWN, NONE, STRANGER = "SPIFFE-ID §4.1", "trust.no_bundle", "trust.unknown_issuer"
BUNDLE, FEDERATION = "Workload API §4.6", "SPIFFE Federation §4.2"
OF_B = "spiffe://b.test/web"


def cases():
    suite = Suite("domains")
    a, b = Authority("a"), Authority("b")
    both = {"a.test": a, "b.test": b}
    suite.accept("own", "a chain under the root of its own domain is trusted", BUNDLE, a.issue(), both)
    suite.accept("federated", "a federated domain's chain is trusted under that domain's root", FEDERATION,
                 b.issue(OF_B), both, id=OF_B)
    suite.accept("federated-server", "a federated server is trusted under that domain's root", FEDERATION,
                 b.issue(OF_B), both, id=OF_B, role="server")
    suite.refuse("no-bundle", NONE, "a domain without bundle is not trusted", BUNDLE,
                 Authority("c").issue("spiffe://c.test/web"), both, attack="I04")
    suite.refuse("no-bundle-but-a-known-root", NONE, "a known root does not make up for a missing bundle", BUNDLE,
                 a.issue("spiffe://c.test/web"), both, attack="I04")
    suite.refuse("no-bundle-of-a-server", NONE, "a server of a domain without bundle is not trusted", BUNDLE,
                 a.issue("spiffe://c.test/web"), both, attack="I04", role="server")
    suite.refuse("empty-bundle", NONE, "an empty bundle trusts nobody", "SPIFFE Trust Domain and Bundle §4.1.3",
                 b.issue(OF_B), {"a.test": a, "b.test": []}, attack="I04")
    suite.refuse("no-bundles-at-all", NONE, "without bundles nobody is trusted", BUNDLE, a.issue(), {}, attack="I04")

    suite.refuse("federated-ca-names-us", STRANGER, "a federated CA does not speak for our domain", FEDERATION,
                 b.issue(), both, attack="I05")
    suite.refuse("our-ca-names-a-federated-domain", STRANGER, "our CA does not speak for a federated domain",
                 FEDERATION, a.issue(OF_B), both, attack="I05")
    suite.refuse("federated-ca-names-us-as-a-server", STRANGER, "a federated CA does not speak for our servers",
                 FEDERATION, b.issue(), both, attack="I05", role="server")
    suite.refuse("federated-intermediate-names-us", STRANGER, "nor does a CA below a federated one", FEDERATION,
                 b.intermediate("i").issue(), both, attack="I05")
    third = Authority("c")
    suite.refuse("one-federated-ca-names-another-domain", STRANGER,
                 "one federated CA does not speak for another federated domain", FEDERATION, b.issue(
                     "spiffe://c.test/web"), {**both, "c.test": third}, attack="I05")

    shared = a.intermediate("shared")
    crossed = b.intermediate("shared", key_name="shared")
    of_b = shared.issue(OF_B)
    suite.refuse("shared-ca-without-our-signature", STRANGER, "a CA under another domain's root does not speak for us",
                 FEDERATION, of_b, both, attack="I06")
    suite.refuse("shared-ca-and-our-root-along", STRANGER, "a root that is sent along has signed nothing by that",
                 FEDERATION, of_b, both, chain=[shared.der, b.der], attack="I06")
    suite.accept("shared-ca-cross-signed", "a CA that both roots signed speaks for both domains", FEDERATION,
                 of_b, both, chain=[shared.der, crossed.der], id=OF_B, attack="I06")
    suite.accept("shared-ca-cross-signed-other-order", "the order of the two signatures does not matter", FEDERATION,
                 of_b, both, chain=[crossed.der, shared.der], id=OF_B, attack="I06")
    suite.refuse("roots-cross-signed-one-way", STRANGER, "our root's signature over another gives that one nothing in "
                 "the other direction", FEDERATION, a.issue(OF_B), both,
                 chain=[b.intermediate("x").der, a.intermediate("b", key_name="b").der], attack="I06")
    suite.accept("root-of-one-domain-signs-the-other-s", "a domain whose root we signed speaks for us through it: "
                 "that is what signing a CA means", FEDERATION, b.issue(), both,
                 chain=[a.intermediate("b", key_name="b").der], attack="I06")
    suite.accept("one-root-in-two-bundles", "a root that stands in two bundles speaks for both domains",
                 "SPIFFE Trust Domain and Bundle §6.2", a.issue(OF_B), {"a.test": a, "b.test": [b, a]}, id=OF_B)
    namesake = Authority("a", key_name="another a")
    suite.refuse("federated-ca-of-the-same-name", STRANGER,
                 "a federated CA with our CA's name does not speak for us", FEDERATION, namesake.issue(),
                 {"a.test": a, "b.test": namesake}, attack="I05")
    suite.accept("federated-ca-of-the-same-name-for-its-own", "two domains' CAs may have one name", FEDERATION,
                 namesake.issue(OF_B), {"a.test": a, "b.test": namesake}, id=OF_B)

    for name, id, rule in [
            ("subdomain", "spiffe://sub.a.test/web", "a name below a trust domain is another trust domain"),
            ("parent", "spiffe://test/web", "a name above a trust domain is another trust domain"),
            ("name-that-ends-alike", "spiffe://xa.test/web", "a name is not compared by its end"),
            ("name-that-begins-alike", "spiffe://a.test.evil/web", "a name is not compared by its beginning"),
            ("trailing-dot", "spiffe://a.test./web", "`a.test.` is not `a.test`, as it would be in DNS"),
            ("hyphen-for-dot", "spiffe://a-test/web", "a dot matches nothing but itself"),
            ("domain-in-the-path", "spiffe://b.test/a.test/web", "a path is no trust domain")]:
        bundles = {"a.test": a}
        suite.refuse(name, NONE, rule, OWN, a.issue(id), bundles, attack="I04")
    return suite.cases
