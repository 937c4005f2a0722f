"""The package `spiffe-tls` against the sidecar, with identities of a real agent."""

import os

from peers import ROOT, peers_folder, run


def spiffe_tls_is_a_client_and_a_server_of_the_sidecar(world):
    python = os.environ.get("SPIFFE_PYTHON") or os.path.join(peers_folder(), "spiffe-py/bin/python")
    checked = run(python, ROOT / "conformance/spiffe_py/tls_check.py", world.spire.socket(), limit=120)
    assert checked.returncode == 0 and "6 passed, 0 failed" in checked.stdout, checked.stdout + checked.stderr


CHECKS = [spiffe_tls_is_a_client_and_a_server_of_the_sidecar]
