"""The scene of the benches: a folder, and the processes that live in it."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "data"))
import generate

SERVICE = "spiffe://bench.test/ns/shop/sa/orders"
PATH = "/api/v40/orders"
PROXY_CPU, LOAD_CPU = "0", "1"

SIDECAR = """\
version: 1
service: orders
state_dir: {work}/{name}
identity: {{ source: workload_api, socket: {work}/agent.sock, pick: {{ spiffe_id: "{service}" }} }}
listeners: [{{ name: in, address: "127.0.0.1:{port}", protocol: http }}]
upstreams: [{{ name: app, address: "unix:{work}/app.sock" }}]
policy: {{ source: {{ dir: "{bundle}" }}, interval: 1h }}
telemetry: {{ level: info }}
"""

NGINX = """\
{user}
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/nginx.error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {work}/nginx.access.log combined;
  client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3;
  uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  upstream app {{ server unix:{work}/app.sock; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {work}/chain.pem;
    ssl_certificate_key {work}/key.pem;
    ssl_protocols TLSv1.3;
    ssl_client_certificate {work}/bundle.pem;
    ssl_verify_client on;
    ssl_session_tickets off;
    location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


class Scene:
    """A folder, the processes that live in it, and what they are called with."""

    def __init__(self, args):
        self.args = args
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="portreeve-bench-"))
        self.started = []
        self.writing = threading.Lock()
        self.portreeve = self.work / "portreeve"
        shutil.copy2(args.portreeve, self.portreeve)
        preload = self.work / "preload.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", preload, HERE / "preload.c"], check=True)
        self.valgrind = {"LD_PRELOAD": str(preload), "SELF_EXE": str(self.portreeve), "FIXED_SEEDS": "1"}

    def start(self, name, command, cpu, ready, env=None, **more):
        """Starts a process on one CPU and waits until `ready` holds of its output."""
        output = self.work / f"{name}.out"
        with open(output, "w") as to:
            process = subprocess.Popen(["taskset", "-c", cpu, *map(str, command)], stdout=to,
                                       stderr=to, env={**os.environ, **(env or {})}, **more)
        self.started.append(process)
        for _ in range(1200):
            if ready(output.read_text()):
                return process
            if process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"{name} did not start:\n{output.read_text()}")

    def stop(self, process, how=signal.SIGTERM):
        process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if process.poll() is None:
            process.kill()
            process.wait()
        self.started.remove(process)

    def close(self):
        for process in reversed(list(self.started)):
            self.stop(process)
        shutil.rmtree(self.work)

    def load(self, *arguments):
        command = ["taskset", "-c", LOAD_CPU, self.args.load, "run", *map(str, arguments)]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        if answer["errors"]:
            print(f"{answer['errors']} errors of the load: {answer['first_error']}", file=sys.stderr)
        return answer

    def bundle(self, name):
        """The folder of a bundle: one of `data`, or `KIND-COUNT` of the reference."""
        committed = HERE / "data" / name
        if committed.exists():
            return committed.resolve()
        kind, count = name.rsplit("-", 1)
        with self.writing:
            folder = self.work / "bundles" / name
            return folder if folder.exists() else generate.write(kind, int(count), folder)

    def request(self, caller, of=None):
        """The file of a request that workload `caller` makes below the path of rule `of`."""
        file = self.work / f"request-{caller}-{caller if of is None else of}.json"
        with self.writing:
            file.write_text(json.dumps(generate.request(caller, of)))
        return file

    def mtls(self, port):
        return ["--url", f"https://127.0.0.1:{port}{PATH}", "--identity", self.work / "agent.sock"]

    def sidecar(self, name, bundle, port, wrap=(), env=None):
        config = self.work / f"{name}.yaml"
        config.write_text(SIDECAR.format(work=self.work, name=name, service=SERVICE, port=port,
                                         bundle=self.bundle(bundle)))
        command = [*wrap, self.portreeve, "run", "--config", config]
        return self.start(name, command, PROXY_CPU, lambda text: "accepting connections" in text, env)

    def nginx(self, port):
        config = self.work / "nginx.conf"
        user = "user root;" if os.getuid() == 0 else ""
        config.write_text(NGINX.format(work=self.work, port=port, user=user))
        return self.start("nginx", ["nginx", "-c", config], PROXY_CPU, lambda _: listens(port))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(pid):
    """A process and what it has started."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def cpu_seconds(pid):
    def of(each):
        fields = pathlib.Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return sum(of(each) for each in family(pid))


def rss_kib(pid, whole=True):
    def of(each):
        text = pathlib.Path(f"/proc/{each}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1])
    return sum(of(each) for each in family(pid)) if whole else of(pid)
