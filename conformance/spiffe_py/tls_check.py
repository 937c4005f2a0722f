"""The package `spiffe-tls` as client and as server of the sidecar, with the identities `sidecar` and
`caller` (hints) of the Workload API whose socket is given.

  tls_check.py SOCKET    PORTREEVE_BIN names the binary (default: portreeve)
"""

import pathlib
import sys
import threading
import warnings

# The package reads its source by a property that another release of it calls deprecated.
warnings.simplefilter("ignore", DeprecationWarning)
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "spire"))

from OpenSSL import SSL
from spiffe import SpiffeId, X509Source
from spiffetls import ListenOptions, dial, listen
from spiffetls.errors import TLSConnectionError
from spiffetls.tlsconfig.authorize import authorize_id

import peers
from sidecar import Sidecar

SIDECAR, CALLER = "spiffe://a.test/sidecar", "spiffe://a.test/caller"
TIMEOUT_S = 10.0


def source(socket, spiffe_id):
    def pick(svids):
        (svid,) = [svid for svid in svids if str(svid.spiffe_id) == spiffe_id]
        return svid

    return X509Source(socket_path="unix://" + socket, timeout_in_seconds=TIMEOUT_S, svid_picker=pick)


def ask(socket, sidecar, caller, expected):
    """The status line of the sidecar's answer to this caller."""
    with source(socket, caller) as identity:
        address = "%s:%d" % sidecar.address()
        connection = dial(address, identity, authorize_fn=authorize_id(SpiffeId(expected)))
        connection.sendall(b"GET /orders/1 HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n")
        received = b""
        while b"\r\n" not in received:
            received += connection.recv(4096)
        connection.close()
        return received.split(b"\r\n")[0].decode()


def a_client_is_allowed_by_policy(socket, sidecar):
    status = ask(socket, sidecar, CALLER, SIDECAR)
    assert status == "HTTP/1.1 200 OK", status


def a_client_is_denied_by_policy(socket, sidecar):
    status = ask(socket, sidecar, SIDECAR, SIDECAR)
    assert status == "HTTP/1.1 403 Forbidden", status


def a_client_refuses_a_sidecar_that_it_does_not_expect(socket, sidecar):
    try:
        status = ask(socket, sidecar, CALLER, CALLER)
    except TLSConnectionError:
        return
    raise AssertionError("it answered " + status)


class Server:
    """Serves one connection with the sidecar's SVID, to the one caller that it expects."""

    def __init__(self, socket, expected):
        self.source = source(socket, SIDECAR)
        options = ListenOptions(authorize_fn=authorize_id(SpiffeId(expected)))
        self.listener = listen("127.0.0.1:0", self.source, options)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.refused = None

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join(TIMEOUT_S)
        self.listener.close()
        self.source.close()

    def serve(self):
        connection, _ = self.listener.accept()
        try:
            connection.do_handshake()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            connection.shutdown()
        except SSL.Error as error:
            self.refused = error
        finally:
            connection.close()

    def call(self, socket, expected):
        url = "https://127.0.0.1:%d/" % self.listener.getsockname()[1]
        options = ["--http1", "--socket", "unix://" + socket, "--pick", "caller", "--expect", expected]
        return peers.run(peers.portreeve(), "call", url, *options)


def a_server_is_reached_by_the_id_that_is_expected(socket, _):
    with Server(socket, CALLER) as server:
        called = server.call(socket, SIDECAR)
    assert called.returncode == 0 and called.stdout.strip() == "hello", called
    assert SIDECAR in called.stderr, called


def a_server_with_another_id_is_refused(socket, _):
    with Server(socket, CALLER) as server:
        called = server.call(socket, CALLER)
    assert called.returncode == 2 and "is not trusted" in called.stderr, called
    assert SIDECAR in called.stderr and server.refused is not None, called


def a_server_refuses_us_where_it_expects_another(socket, _):
    with Server(socket, SIDECAR) as server:
        called = server.call(socket, SIDECAR)
    assert called.returncode == 2 and server.refused is not None, called


CHECKS = [
    a_client_is_allowed_by_policy,
    a_client_is_denied_by_policy,
    a_client_refuses_a_sidecar_that_it_does_not_expect,
    a_server_is_reached_by_the_id_that_is_expected,
    a_server_with_another_id_is_refused,
    a_server_refuses_us_where_it_expects_another,
]


def check_all(socket):
    """How many failed."""
    failed = 0
    with Sidecar(socket) as sidecar:
        sidecar.wait_ready()
        for check in CHECKS:
            try:
                check(socket, sidecar)
                print("ok      %s" % check.__name__, flush=True)
            except Exception as error:  # a check that cannot run has failed
                failed += 1
                print("FAILED  %s: %r" % (check.__name__, error), flush=True)
    return failed


def main(socket):
    failed = check_all(socket)
    print("%d passed, %d failed" % (len(CHECKS) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
