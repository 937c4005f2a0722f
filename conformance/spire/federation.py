"""Callers of b.test at a sidecar of a.test: trusted while the two are federated, and not after."""

import contextlib
import time

import h2
from load import Kept
from peers import Identity, Spire, eventually
from sidecar import Call, Sidecar

# Server and agent look every second.
TOLD_LIMIT_S = 10
# Once the sidecar is told, a cut takes no more than a second; another is for looking.
CUT_LIMIT_S = 2


class World:
    def __init__(self, spire, sidecar, ours, theirs):
        self.spire, self.sidecar, self.ours, self.theirs = spire, sidecar, ours, theirs


@contextlib.contextmanager
def world():
    # A CA that holds: b.test's is fetched by a.test's server four times a minute only. The SVIDs hold
    # longer than the checks take: whatever is cut here is cut for trust.
    with Spire(federated=True, SPIRE_CA_TTL="1h", SPIRE_X509_TTL="5m") as spire:
        with Identity(spire, "a.test", "caller") as ours, Identity(spire, "b.test", "caller") as theirs:
            with Sidecar(spire.socket()) as sidecar:
                sidecar.wait_ready()
                yield World(spire, sidecar, ours, theirs)


def a_caller_of_a_federated_domain_gets_in(world):
    call = Call(world.spire, world.sidecar, "b.test")
    assert call.is_allowed(), call
    record = world.sidecar.decision(call.answer["decision_id"])
    assert record["source"]["spiffe_id"] == "spiffe://b.test/caller", record
    assert record["source"]["trust_domain"] == "b.test", record


def a_removed_bundle_cuts_its_callers_and_nobody_else(world):
    address = world.sidecar.address()
    ours, theirs = Kept(world.ours, address), Kept(world.theirs, address)
    ours_h2, theirs_h2 = h2.Connection(world.ours, address, 10), h2.Connection(world.theirs, address, 10)
    for connection in ours, theirs:
        assert connection.get() == 200
    for connection in ours_h2, theirs_h2:
        assert connection.get(1) == ([200], 0)
    remove(world.spire)
    without = lambda: world.sidecar.status()["identity"]["trust_domains"] == ["a.test"]
    eventually("the sidecar is told", without, TOLD_LIMIT_S)
    eventually("the HTTP/1.1 connection of b.test is cut", theirs.has_ended, CUT_LIMIT_S)
    eventually("the HTTP/2 connection of b.test is cut", theirs_h2.has_ended, CUT_LIMIT_S)
    assert ours.get() == 200, "the connection of a.test does not serve"
    assert not ours.asked and not ours.has_ended(), "the connection of a.test is to end"
    assert ours_h2.get(1) == ([200], 0) and not ours_h2.asked, "the h2 connection of a.test is to end"
    cuts = world.sidecar.cuts()
    assert cuts == [("spiffe://b.test/caller", "trust.no_bundle")] * 2, cuts


def remove(spire):
    # The relationship first: its server would fetch the bundle again.
    spire.server("a.test", "federation", "delete", "-id", "spiffe://b.test")
    spire.server("a.test", "bundle", "delete", "-id", "spiffe://b.test", "-mode", "dissociate")


def without_a_bundle_new_connections_are_refused(world):
    untrusted = lambda: world.sidecar.status()["identity"]["trust_domains"] == ["a.test"]
    eventually("the sidecar is told", untrusted, TOLD_LIMIT_S)
    call = Call(world.spire, world.sidecar, "b.test")
    assert call.code == 2, call
    refused = eventually("a record", lambda: world.sidecar.refusals("trust.no_bundle"))[-1]
    claimed = refused["claimed"][-1]
    assert claimed["spiffe_id"] == "spiffe://b.test/caller" and claimed["serial"] and claimed["sha256"], refused
    ours = Call(world.spire, world.sidecar)
    assert ours.is_allowed(), ours


def federation_added_while_connections_are_open(world):
    kept = Kept(world.ours, world.sidecar.address())
    assert kept.get() == 200
    add(world.spire)
    with_both = lambda: world.sidecar.status()["identity"]["trust_domains"] == ["a.test", "b.test"]
    eventually("the sidecar is told", with_both, TOLD_LIMIT_S)
    call = Call(world.spire, world.sidecar, "b.test")
    assert call.is_allowed(), call
    # A second, in which a sweep that is not wanted would have come.
    time.sleep(1)
    assert kept.get() == 200 and not kept.asked, "adding a trust domain ends connections"


def add(spire):
    bundle = spire.state / "b.test/bundle.again"
    bundle.write_text(spire.server("b.test", "bundle", "show", "-format", "spiffe"))
    port = (spire.state / "b.test/ports").read_text().split()[1]
    endpoint = ["-bundleEndpointURL", "https://127.0.0.1:" + port, "-bundleEndpointProfile", "https_spiffe"]
    endpoint += ["-endpointSpiffeID", "spiffe://b.test/spire/server"]
    initial = ["-trustDomainBundleFormat", "spiffe", "-trustDomainBundlePath", str(bundle)]
    spire.server("a.test", "federation", "create", "-trustDomain", "b.test", *endpoint, *initial)
    entry = spire.entries("a.test")["sidecar"]
    selector = "%(type)s:%(value)s" % entry["selectors"][0]
    ids = ["-parentID", "spiffe://a.test/node", "-spiffeID", "spiffe://a.test/sidecar", "-hint", "sidecar"]
    spire.server(
        "a.test", "entry", "update", "-entryID", entry["id"], *ids, "-selector", selector,
        "-federatesWith", "spiffe://b.test",
    )


def a_revoked_ca_cuts_what_it_signed_and_nothing_else(world):
    address = world.sidecar.address()
    old, authority = Kept(world.ours, address), world.spire.authorities()["active"]
    assert old.get() == 200
    before = world.ours.serial
    world.spire.replace_authority()
    eventually("an SVID of the new CA", lambda: world.ours.serial != before)
    issuers = lambda: Kept(world.ours, address).certificate["issuer"] != old.certificate["issuer"]
    eventually("the sidecar has one too", issuers)
    new = Kept(world.ours, address)
    assert new.get() == 200 and old.get() == 200
    world.spire.revoke_authority(authority)
    eventually("the connection under the old CA is cut", old.has_ended, TOLD_LIMIT_S + CUT_LIMIT_S)
    assert new.get() == 200 and not new.asked, "the connection under the new CA is to end"
    cut = world.sidecar.cuts()[-1]
    assert cut == ("spiffe://a.test/caller", "trust.unknown_issuer"), cut


CHECKS = [
    a_caller_of_a_federated_domain_gets_in,
    a_removed_bundle_cuts_its_callers_and_nobody_else,
    without_a_bundle_new_connections_are_refused,
    federation_added_while_connections_are_open,
    a_revoked_ca_cuts_what_it_signed_and_nothing_else,
]
