"""One case, in the shape that `schemas/spiffe-x509-cases.json` describes."""

from .certificates import NOW
from .keys import pem

CERTIFICATE = "CERTIFICATE"


class Suite:
    """The cases of one area, in order; ids are `area::name`."""

    def __init__(self, area):
        self.area, self.cases = area, []

    def accept(self, name, rule, section, leaf, roots, *, id="spiffe://a.test/web", **more):
        self._add(name, rule, section, leaf, roots, {"expected_id": id}, **more)

    def refuse(self, name, reason, rule, section, leaf, roots, **more):
        self._add(name, rule, section, leaf, roots, {"expected_reason": reason}, **more)

    def _add(self, name, rule, section, leaf, roots, expected, *, attack=None, role="client", chain=None,
             crls=(), time=NOW, key=True):
        """`roots` is one authority, a list of them for a.test, or bundles by trust domain."""
        if not isinstance(roots, dict):
            roots = {"a.test": roots}
        bundles = {}
        for domain, authorities in roots.items():
            authorities = authorities if isinstance(authorities, list) else [authorities]
            bundles[domain] = [pem(CERTIFICATE, getattr(one, "der", one)) for one in authorities]
        chain = leaf.chain if chain is None else chain
        case = {"id": "%s::%s" % (self.area, name), "rule": rule, "section": section}
        if attack:
            case["attack"] = attack
        case["role"] = role
        case["bundles"] = bundles
        if crls:
            case["crls"] = [pem("X509 CRL", crl) for crl in crls]
        case["peer_certificate"] = pem(CERTIFICATE, leaf.der)
        if key and leaf.key:
            case["peer_certificate_key"] = leaf.key.pem()
        case["untrusted_intermediates"] = [pem(CERTIFICATE, getattr(one, "der", one)) for one in chain]
        case["validation_time"] = time
        case.update(expected)
        self.cases.append(case)
