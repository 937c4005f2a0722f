"""From the first SVID through every rotation of SVID and CA, under load that never fails."""

import contextlib
import json
import time

from load import Load
from peers import Identity, Spire, eventually, must, portreeve
from sidecar import Call, Sidecar

# SPIRE looks every 10 s whether its CA of one minute is due.
CA_LIMIT_S = 90
# So many SVIDs of the sidecar, one after the other, make a rotation of them.
ROTATIONS = 5
# What was issued under a tainted CA has been replaced for sure: the SVIDs of before have expired.
REPLACED_S = 12


class World:
    def __init__(self, spire, sidecar):
        self.spire, self.sidecar = spire, sidecar
        self.identity = self.load = None


@contextlib.contextmanager
def world():
    spire = Spire()
    with Sidecar(spire.socket()) as sidecar:
        prepared = World(spire, sidecar)
        try:
            with contextlib.ExitStack() as stack:
                prepared.stack = stack
                yield prepared
        finally:
            spire.__exit__()


def not_ready_without_an_agent(world):
    status, lines = eventually("/readyz answers", world.sidecar.ready)
    assert status == 503 and "identity not_ready identity.unavailable" in lines, (status, lines)


def the_first_svid_makes_it_ready(world):
    world.spire.up()
    world.sidecar.wait_ready()
    shown = json.loads(must(portreeve(), "whoami", "--socket", world.spire.socket(), "--format", "json"))
    assert {svid["hint"]: svid["spiffe_id"] for svid in shown["svids"]} == {
        "sidecar": "spiffe://a.test/sidecar",
        "caller": "spiffe://a.test/caller",
    }, shown
    assert shown["bundles"] == {"a.test": 1}, shown
    updated = [record for record in world.sidecar.records() if record["kind"] == "identity"]
    assert {record["spiffe_id"] for record in updated} == {"spiffe://a.test/sidecar"}, updated


def the_record_says_who_called(world):
    allowed = Call(world.spire, world.sidecar)
    assert allowed.is_allowed(), allowed
    denied = Call(world.spire, world.sidecar, pick="sidecar")
    assert denied.is_denied(), denied
    for call, who, outcome in (allowed, "caller", "allow"), (denied, "sidecar", "deny"):
        record = world.sidecar.decision(call.answer["decision_id"])
        assert record["source"]["spiffe_id"] == "spiffe://a.test/" + who, record
        assert record["destination"]["spiffe_id"] == "spiffe://a.test/sidecar", record
        assert record["decision"]["outcome"] == outcome, record


def svids_rotate_under_load(world):
    world.identity = world.stack.enter_context(Identity(world.spire, "a.test", "caller"))
    world.load = world.stack.enter_context(Load(world.identity, world.sidecar.address()))
    eventually("%d SVIDs of the sidecar" % ROTATIONS, lambda: len(world.load.serials) >= ROTATIONS)
    world.load.check()


def the_ca_rotates_by_itself_under_load(world):
    before = set(world.load.issuers)
    first = world.spire.authorities()["active"]
    rotated = lambda: world.spire.authorities()["active"] != first
    eventually("the next CA is active", rotated, CA_LIMIT_S, pause=1)
    eventually("the sidecar has an SVID of it", lambda: world.load.issuers - before)
    world.load.check()


def a_tainted_and_revoked_ca_under_load(world):
    before = set(world.load.issuers)
    old = world.spire.authorities()["active"]
    world.spire.replace_authority()
    eventually("the sidecar has an SVID of the new CA", lambda: world.load.issuers - before)
    time.sleep(REPLACED_S)
    world.load.check()
    requests = world.load.requests
    world.spire.revoke_authority(old)
    eventually("requests after the revocation", lambda: world.load.requests > requests + 100)
    time.sleep(2)
    world.load.check()


def not_one_request_failed(world):
    world.load.stop()
    world.load.check()
    print("        %s" % world.load, flush=True)
    decisions = [r for r in world.sidecar.records() if r["kind"] == "decision"]
    outcomes = {record["decision"]["outcome"] for record in decisions[2:]}
    assert outcomes == {"allow"} and len(decisions) >= world.load.requests, (outcomes, len(decisions))


def callers_are_asked_to_renew_before_their_svid_ends(world):
    load = world.load
    assert load.asked, "a connection lived for %.0f s and nobody was asked to take a new one" % load.longest_s
    assert not load.late, "%d requests were served after the caller's SVID had expired" % load.late


CHECKS = [
    not_ready_without_an_agent,
    the_first_svid_makes_it_ready,
    the_record_says_who_called,
    svids_rotate_under_load,
    the_ca_rotates_by_itself_under_load,
    a_tainted_and_revoked_ca_under_load,
    not_one_request_failed,
    callers_are_asked_to_renew_before_their_svid_ends,
]
