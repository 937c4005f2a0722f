"""Checks running Workload APIs: one that knows this user, one that does not, and one with identities for
a sidecar and its caller."""

import sys
import threading
from datetime import datetime, timezone

from spiffe import JwtSvid, TrustDomain, WorkloadApiClient, X509Source
from spiffe.errors import PySpiffeError

import tls_check

ID = "spiffe://a.test/web"
AUDIENCE = "spiffe://a.test/api"
OURS = TrustDomain("a.test")
TIMEOUT_S = 10.0
ROTATION_TIMEOUT_S = 20.0  # the server's SVIDs hold for 4 s and are replaced every 2 s


def x509_svid_chains_to_its_bundle(ours, _):
    client = WorkloadApiClient(ours)
    context = client.fetch_x509_context(timeout=TIMEOUT_S)
    leaf = context.default_svid.leaf
    assert str(context.default_svid.spiffe_id) == ID
    (root,) = context.x509_bundle_set.get_bundle_for_trust_domain(OURS).x509_authorities
    leaf.verify_directly_issued_by(root)
    assert leaf.not_valid_before_utc <= datetime.now(timezone.utc) < leaf.not_valid_after_utc


def x509_source_follows_a_rotation(ours, _):
    with X509Source(socket_path=ours, timeout_in_seconds=TIMEOUT_S) as source:
        first = source.get_x509_context().default_svid.leaf.serial_number
        rotated = threading.Event()
        source.subscribe_for_updates(
            lambda: source.get_x509_context().default_svid.leaf.serial_number != first and rotated.set()
        )
        assert rotated.wait(ROTATION_TIMEOUT_S), "no rotation"


def jwt_svid_validates_offline(ours, _):
    client = WorkloadApiClient(ours)
    fetched = client.fetch_jwt_svid(audience={AUDIENCE}, timeout=TIMEOUT_S)
    bundle = client.fetch_jwt_bundles(timeout=TIMEOUT_S).get_bundle_for_trust_domain(OURS)
    validated = JwtSvid.parse_and_validate(fetched.token, bundle, {AUDIENCE})
    assert str(validated.spiffe_id) == ID
    refused(lambda: JwtSvid.parse_and_validate(fetched.token, bundle, {"someone else"}))


def jwt_svid_validates_by_the_server(ours, _):
    client = WorkloadApiClient(ours)
    token = client.fetch_jwt_svid(audience={AUDIENCE}, timeout=TIMEOUT_S).token
    validated = client.validate_jwt_svid(token, AUDIENCE, timeout=TIMEOUT_S)
    assert str(validated.spiffe_id) == ID
    refused(lambda: client.validate_jwt_svid(token, "someone else", timeout=TIMEOUT_S))


def a_caller_without_an_entry_gets_nothing(_, others):
    client = WorkloadApiClient(others)
    refused(lambda: client.fetch_x509_svid(timeout=TIMEOUT_S), "no identity issued")
    refused(
        lambda: client.fetch_jwt_svid(audience={AUDIENCE}, timeout=TIMEOUT_S),
        "no identity issued",
    )


def refused(call, words=""):
    try:
        call()
    except PySpiffeError as error:
        assert words.lower() in str(error).lower(), f"{error!r} does not say {words!r}"
        return
    raise AssertionError("it was not refused")


CHECKS = [
    x509_svid_chains_to_its_bundle,
    x509_source_follows_a_rotation,
    jwt_svid_validates_offline,
    jwt_svid_validates_by_the_server,
    a_caller_without_an_entry_gets_nothing,
]


def main(ours, others, both):
    failed = 0
    for check in CHECKS:
        try:
            check(ours, others)
            print(f"ok      {check.__name__}")
        except Exception as error:  # a check that cannot run has failed
            failed += 1
            print(f"FAILED  {check.__name__}: {error!r}")
    failed += tls_check.check_all(both)
    print(f"{len(CHECKS) + len(tls_check.CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
