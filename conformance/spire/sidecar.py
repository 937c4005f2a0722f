"""A sidecar with a policy, a service behind it, and what its log says."""

import http.server
import json
import os
import pathlib
import socket as socket_module
import socketserver
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from peers import ENDING, PATIENCE_S, STARTED, CouldNotRun, eventually, portreeve, run

# A caller of any trust domain: whether its SVID is trusted is for SPIFFE to say, not for policy.
POLICY = """package authz

default allow := false

allow if {
	input.source.spiffe_id in {
		"spiffe://a.test/caller",
		"spiffe://a.test/patient",
		"spiffe://b.test/caller",
	}
	input.request.route == "orders"
}
"""

CONFIGURATION = """version: 1
service: orders
state_dir: %(state)s
identity: { socket: "unix://%(socket)s", pick: { hint: sidecar } }
listeners:
  - name: public
    address: 127.0.0.1:0
    routes: [{ name: orders, path: "/orders/{rest...}" }]
%(listeners)supstreams:
  - { name: app, address: "unix:%(upstream)s" }
policy:
  source: { dir: %(policy)s }
log: { end_records: false }
health: { address: 127.0.0.1:%(health)d }
"""


class Service(http.server.BaseHTTPRequestHandler):
    """Answers every path; `/orders/slow` after a while."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.authorization = self.headers["Authorization"]
        if self.path.endswith("/slow"):
            time.sleep(0.5)
        body = b"order\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "sidecar"

    def log_message(self, *_):
        pass


class Upstream(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    # What the last request had.
    authorization = None

    def handle_error(self, *_):
        """The sidecar closes connections that it has no more use for."""


class Sidecar:
    """`portreeve run` beside a service of its own. Use it in a `with`."""

    def __init__(self, socket, listeners=""):
        self.folder = tempfile.TemporaryDirectory(prefix="ptr-sc-")
        base = self.base = pathlib.Path(self.folder.name)
        (base / "policy").mkdir()
        (base / "policy/authz.rego").write_text(POLICY)
        manifest = {"metadata": {"portreeve": {"entrypoint": "authz"}}}
        (base / "policy/.manifest").write_text(json.dumps(manifest))
        # No command tells the port that the system would choose for it.
        with socket_module.create_server(("127.0.0.1", 0)) as free:
            self.health = free.getsockname()[1]
        places = {"state": base / "state", "policy": base / "policy", "upstream": base / "app.sock"}
        places |= {"socket": socket, "listeners": listeners, "health": self.health}
        (base / "portreeve.yaml").write_text(CONFIGURATION % places)
        self.upstream = Upstream(str(base / "app.sock"), Service)
        threading.Thread(target=self.upstream.serve_forever, daemon=True).start()
        self.admin = str(base / "state/admin.sock")
        self.process = None

    def __enter__(self):
        if ENDING.is_set():
            raise CouldNotRun("the run is being ended")
        command = [portreeve(), "run", "-c", str(self.base / "portreeve.yaml")]
        with open(self.base / "stderr", "w") as stderr:
            self.process = subprocess.Popen(command, stderr=stderr, stdin=subprocess.DEVNULL)
        STARTED.append(self)
        return self

    def __exit__(self, kind, *_):
        code = self.end()
        STARTED.remove(self)
        if kind is None and code != 0:
            raise AssertionError("the sidecar ended with %s" % code)

    def end(self):
        """Asks it to end; its exit code."""
        self.process.terminate()
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "nothing after SIGTERM"
        self.upstream.shutdown()
        self.upstream.server_close()
        self.folder.cleanup()
        return code

    def stderr(self):
        return (self.base / "stderr").read_text()

    def status(self):
        """What `portreeve status` tells; exit code 1 is an answer too."""
        asked = run(portreeve(), "status", "--admin", self.admin, "--format", "json")
        if asked.returncode == 2:
            if self.process.poll() is not None:
                raise CouldNotRun("the sidecar ended: " + self.stderr())
            raise AssertionError(asked.stderr)
        return json.loads(asked.stdout)

    def ready(self):
        """Status code and lines of /readyz."""
        try:
            url = "http://127.0.0.1:%d/readyz?verbose" % self.health
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode().splitlines()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode().splitlines()

    def is_ready(self):
        return self.ready()[0] == 200

    def wait_ready(self):
        eventually("the sidecar is ready", lambda: self.process.poll() is not None or self.is_ready())
        if self.process.poll() is not None:
            raise CouldNotRun("the sidecar ended: " + self.stderr())

    def address(self, listener="public"):
        (found,) = [one["address"] for one in self.status()["listeners"] if one["name"] == listener]
        host, port = found.rsplit(":", 1)
        return host, int(port)

    def records(self):
        """Every record so far."""
        found = []
        for file in sorted((self.base / "state/log").glob("*.ndjson")):
            lines = file.read_text().split("\n")
            found.extend(json.loads(line) for line in lines[:-1] if line.startswith("{"))
        return found

    def decision(self, decision_id):
        """The record of a decision."""
        (found,) = [r for r in self.records() if r["kind"] == "decision" and r["id"] == decision_id]
        return found

    def cuts(self):
        """Who was cut off and why: `(spiffe_id, reason)` for each connection."""
        cut = [record for record in self.records() if record["kind"] == "connection" and record["event"] == "cut"]
        return [(record["spiffe_id"], record["reason"]) for record in cut for _ in range(record["connections"])]

    def refusals(self, reason=None):
        """What stands in the records of refused connections."""
        refused = [record["refused"] for record in self.records() if record["kind"] == "refused"]
        return [one for one in refused if reason in (None, one["reason"])]


class Call:
    """One `portreeve call`."""

    def __init__(self, spire, sidecar, domain="a.test", path="/orders/1", listener="public", pick="caller", options=()):
        host, port = sidecar.address(listener)
        command = [portreeve(), "call", "https://%s:%d%s" % (host, port, path), "--format", "json"]
        command += ["--socket", "unix://%s" % spire.socket(domain), "--pick", pick]
        ended = run(*command, "--expect", "spiffe://a.test/sidecar", *options)
        self.code, self.stderr = ended.returncode, ended.stderr
        self.answer = json.loads(ended.stdout) if ended.stdout.startswith("{") else {}

    def __repr__(self):
        return "exit code %d, %s %s" % (self.code, self.answer.get("status"), self.stderr.strip())

    def is_allowed(self):
        return self.code == 0 and self.answer["status"] == 200

    def is_denied(self):
        return self.code == 1 and self.answer["status"] == 403
