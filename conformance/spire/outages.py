"""The agent away for a while and for too long, entries deleted, and a user without any."""

import contextlib
import os
import shutil
import ssl
import time

from load import Kept, Load
from peers import CannotBeChecked, Identity, Spire, eventually, portreeve, run
from sidecar import Call, Sidecar

# A caller whose SVID outlives every outage, so that a refusal is for the sidecar's own.
PATIENT = "patient"
# Of nobody: no entry has it.
ANOTHER_UID = 64321
AWAY_S = 4
# An SVID of 20 s, and a machine that has other things to do.
EXPIRY_LIMIT_S = 40


class World:
    def __init__(self, spire, sidecar, patient):
        self.spire, self.sidecar, self.patient = spire, sidecar, patient


@contextlib.contextmanager
def world():
    # The CA and the agent's own SVID hold longer than an agent is away, and so do those of the sidecar
    # and its callers where it comes back soon: at least 13 s are left of them at any time.
    with Spire(SPIRE_CA_TTL="10m", SPIRE_AGENT_TTL="5m", SPIRE_X509_TTL="20s") as spire:
        create(spire, PATIENT, "-x509SVIDTTL", "240")
        fetched = lambda: Identity(spire, "a.test", PATIENT)
        with eventually("an SVID that holds for minutes", fetched) as patient, Sidecar(spire.socket()) as sidecar:
            sidecar.wait_ready()
            yield World(spire, sidecar, patient)


def create(spire, name, *options):
    ids = ["-parentID", "spiffe://a.test/node", "-spiffeID", "spiffe://a.test/" + name, "-hint", name]
    spire.server("a.test", "entry", "create", *ids, "-selector", "unix:uid:%d" % os.getuid(), *options)


def refused_reason(world):
    """The reason of the sidecar's record, where a caller that checks nothing is refused."""
    count = len(world.sidecar.refusals())
    try:
        Kept(Careless(world.patient), world.sidecar.address()).get()
    except OSError:
        return eventually("a record of the refusal", lambda: world.sidecar.refusals()[count:])[0]["reason"]
    return "not refused"


class Careless:
    """A caller that takes any server, so that only the sidecar can refuse."""

    def __init__(self, identity):
        self.identity, self.not_after = identity, identity.not_after

    def context(self, *protocols):
        context = self.identity.context(*protocols)
        context.verify_mode = ssl.CERT_NONE
        return context


def not_ready_for(world, reason):
    status, lines = world.sidecar.ready()
    assert status == 503 and "identity not_ready " + reason in lines, (status, lines)
    return True


def serve(world):
    """A new connection of the patient caller is served."""
    status = Kept(world.patient, world.sidecar.address()).get()
    assert status == 200, "a new connection is answered with %d" % status


def another_user_gets_no_identity(world):
    # The other user may not be able to reach the binary where it is.
    program = os.path.join(world.spire.folder.name, "portreeve")
    shutil.copy(shutil.which(portreeve()), program)
    asked = as_another_user(program, "whoami", "--socket", world.spire.socket())
    assert asked.returncode == 1 and "no identity issued" in asked.stderr.lower(), asked
    # The twin: we are given one over the same socket.
    assert run(program, "whoami", "--socket", world.spire.socket()).returncode == 0


def as_another_user(*command):
    if os.getuid() == 0:
        return run(*command, user=ANOTHER_UID, group=ANOTHER_UID, extra_groups=[])
    become = ["sudo", "-n", "setpriv", "--reuid", ANOTHER_UID, "--regid", ANOTHER_UID, "--clear-groups"]
    if not shutil.which("sudo") or run(*become, "true").returncode != 0:
        words = "only root can become another user"
        raise AssertionError(words) if os.environ.get("CI") == "true" else CannotBeChecked(words)
    return run(*become, *command)


def an_agent_killed_and_restarted_under_load(world):
    with Identity(world.spire, "a.test", "caller") as caller, Load(caller, world.sidecar.address()) as load:
        eventually("requests", lambda: load.requests > 20)
        world.spire.kill("agent")
        time.sleep(AWAY_S)
        load.check()
        status, lines = world.sidecar.ready()
        assert status == 200, lines
        serials, since = set(load.serials), updates(world)
        world.spire.up()
        eventually("an SVID of the new agent", lambda: updates(world) > since and load.serials - serials)
        load.check()


def updates(world):
    return sum(record["event"] == "updated" for record in identity_records(world))


def identity_records(world):
    return [record for record in world.sidecar.records() if record["kind"] == "identity"]


def an_agent_gone_until_our_svid_expires(world):
    serve(world)
    open_before = Kept(world.patient, world.sidecar.address())
    assert open_before.get() == 200
    world.spire.kill("agent")
    eventually("our SVID expires", lambda: not_ready_for(world, "identity.expired"), EXPIRY_LIMIT_S)
    reason = refused_reason(world)
    assert reason == "identity.expired", "a new connection: " + reason
    status = open_before.get()
    assert status == 200, "a connection of before is answered with %d" % status


def it_recovers_with_the_agent(world):
    world.spire.up()
    eventually("the sidecar is ready again", world.sidecar.is_ready)
    serve(world)
    call = Call(world.spire, world.sidecar)
    assert call.is_allowed(), call


def a_deleted_entry_withdraws_our_svid(world):
    entry = world.spire.entries("a.test")["sidecar"]
    world.spire.server("a.test", "entry", "delete", "-entryID", entry["id"])
    eventually("our SVID is withdrawn", lambda: not_ready_for(world, "identity.withdrawn"))
    reason = refused_reason(world)
    assert reason in ("identity.withdrawn", "identity.unavailable"), "a new connection: " + reason
    lost = [record for record in identity_records(world) if record["event"] == "lost"]
    assert lost and lost[-1]["reason"] == "identity.withdrawn", lost


def an_entry_created_again_brings_it_back(world):
    create(world.spire, "sidecar")
    eventually("the sidecar is ready again", world.sidecar.is_ready)
    serve(world)


def no_entry_at_all_withdraws_our_svid(world):
    """The agent ends the stream with PermissionDenied, which deleting one of several does not do."""
    for hint, entry in world.spire.entries("a.test").items():
        if hint:
            world.spire.server("a.test", "entry", "delete", "-entryID", entry["id"])
    eventually("our SVID is withdrawn", lambda: not_ready_for(world, "identity.withdrawn"))
    asked = run(portreeve(), "whoami", "--socket", world.spire.socket())
    assert asked.returncode == 1, asked
    for name in "sidecar", "caller":
        create(world.spire, name)
    eventually("the sidecar is ready again", world.sidecar.is_ready)
    call = eventually("a call", lambda: allowed(Call(world.spire, world.sidecar)))
    assert call, call


def allowed(call):
    assert call.is_allowed(), call
    return call


def a_server_gone_stops_no_request(world):
    with Identity(world.spire, "a.test", "caller") as caller, Load(caller, world.sidecar.address()) as load:
        eventually("requests", lambda: load.requests > 20)
        world.spire.kill("server")
        time.sleep(AWAY_S)
        load.check()
        serials = set(load.serials)
        world.spire.up()
        eventually("an SVID of the new server", lambda: load.serials - serials)
        load.check()


CHECKS = [
    another_user_gets_no_identity,
    an_agent_killed_and_restarted_under_load,
    a_server_gone_stops_no_request,
    an_agent_gone_until_our_svid_expires,
    it_recovers_with_the_agent,
    a_deleted_entry_withdraws_our_svid,
    an_entry_created_again_brings_it_back,
    no_entry_at_all_withdraws_our_svid,
]
