"""JWT-SVIDs of the agent at listeners that take them, and every way of not being let in by one."""

import contextlib
import http.client
import time

import federation
from load import Kept
from peers import Identity, Spire, eventually
from sidecar import Sidecar

AUDIENCE = "spiffe://a.test/sidecar"
LISTENERS = """  - name: tokens
    address: 127.0.0.1:0
    callers: jwt
    audience: ["%(audience)s"]
    jwt_leeway: 0s
    routes: [{ name: orders, path: "/orders/{rest...}" }]
  - name: both
    address: 127.0.0.1:0
    callers: both
    audience: ["%(audience)s"]
    routes: [{ name: orders, path: "/orders/{rest...}" }]
""" % {"audience": AUDIENCE}
# The agent gives a token again until half of its time is over.
TOKEN_S = 8


class World:
    def __init__(self, spire, sidecar, ours):
        self.spire, self.sidecar, self.ours = spire, sidecar, ours
        self.tokens = []

    def token(self, domain="a.test", audience=AUDIENCE, hint="caller"):
        answer = self.spire.ask_agent(domain, "fetch", "jwt", "-audience", audience)
        svids = [svid for part in answer for svid in part.get("svids", [])]
        (token,) = [svid["svid"] for svid in svids if svid.get("hint") == hint]
        self.tokens.append(token)
        return token

    def ask(self, token, listener="tokens"):
        """The status and the decision's ID; at `tokens` without a certificate."""
        if listener == "both":
            connection = Kept(self.ours, self.sidecar.address(listener)).connection
        else:
            context = self.ours.context("http/1.1", presents=False)
            connection = http.client.HTTPSConnection(*self.sidecar.address(listener), context=context, timeout=10)
        with contextlib.closing(connection):
            headers = {"Authorization": "Bearer " + token} if token else {}
            connection.request("GET", "/orders/1", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("x-portreeve-decision-id")

    def refused(self, token, reason, listener="tokens"):
        """It is answered with 401, and its record says why."""
        status, decision = self.ask(token, listener)
        assert status == 401, "the answer is %d" % status
        recorded = lambda: [one for one in self.sidecar.refusals() if decision in one["ids"]]
        reasons = [one["reason"] for one in eventually("a record", recorded)]
        assert reasons == [reason], reasons


@contextlib.contextmanager
def world():
    times = {"SPIRE_CA_TTL": "1h", "SPIRE_X509_TTL": "5m", "SPIRE_JWT_TTL": "%ds" % TOKEN_S}
    with Spire(federated=True, **times) as spire, Identity(spire, "a.test", "caller") as ours:
        with Sidecar(spire.socket(), LISTENERS) as sidecar:
            sidecar.wait_ready()
            yield World(spire, sidecar, ours)


def a_token_of_the_agent_is_accepted(world):
    status, decision = world.ask(world.token())
    assert status == 200, "the answer is %d" % status
    record = world.sidecar.decision(decision)
    assert record["source"]["spiffe_id"] == "spiffe://a.test/caller", record
    assert world.sidecar.upstream.authorization is None, "the service is given the token"


def a_token_of_a_caller_that_policy_does_not_know_is_denied(world):
    status, _ = world.ask(world.token(hint="sidecar"))
    assert status == 403, "the answer is %d" % status


def a_token_for_another_audience_is_refused(world):
    world.refused(world.token(audience="spiffe://a.test/other"), "jwt.audience")


def no_token_is_refused(world):
    world.refused(None, "jwt.missing")


def a_changed_token_is_refused(world):
    head, claims, _ = world.token().split(".")
    signature = world.token(hint="sidecar").split(".")[2]
    world.refused(".".join((head, claims, signature)), "jwt.signature")


def an_expired_token_is_refused(world):
    token = world.token()
    time.sleep(TOKEN_S + 1)
    world.refused(token, "jwt.expired")


def certificate_and_token_of_one_workload_are_accepted(world):
    status, _ = world.ask(world.token(), "both")
    assert status == 200, "the answer is %d" % status
    world.refused(world.token(hint="sidecar"), "jwt.other_workload", "both")


def a_token_of_a_federated_domain_is_accepted_until_it_is_none(world):
    status, _ = world.ask(world.token("b.test"))
    assert status == 200, "the answer is %d" % status
    federation.remove(world.spire)
    eventually("its tokens are refused", lambda: world.ask(world.token("b.test"))[0] == 401)
    world.refused(world.token("b.test"), "jwt.no_bundle")
    status, _ = world.ask(world.token())
    assert status == 200, "the answer to a token of our own domain is %d" % status


def no_token_is_written_anywhere(world):
    written = world.sidecar.stderr() + "".join(map(str, world.sidecar.records()))
    for token in world.tokens:
        assert token.split(".")[2] not in written and token not in written, "a token is in the log"
    assert "jwt.audience" in written


CHECKS = [
    a_token_of_the_agent_is_accepted,
    a_token_of_a_caller_that_policy_does_not_know_is_denied,
    a_token_for_another_audience_is_refused,
    no_token_is_refused,
    a_changed_token_is_refused,
    an_expired_token_is_refused,
    certificate_and_token_of_one_workload_are_accepted,
    a_token_of_a_federated_domain_is_accepted_until_it_is_none,
    no_token_is_written_anywhere,
]
