"""Measures what benches/run has built; run that. Everything it starts it also stops, by pid."""

import argparse
import concurrent.futures
import contextlib
import json
import math
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
SAVED = HERE / "stages.txt"
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

    def mtls(self, port):
        return ["--url", f"https://127.0.0.1:{port}{PATH}", "--identity", self.work / "agent.sock"]

    def sidecar(self, name, bundle, port, wrap=(), env=None):
        config = self.work / f"{name}.yaml"
        config.write_text(SIDECAR.format(work=self.work, name=name, service=SERVICE, port=port,
                                         bundle=(HERE / "data" / bundle).resolve()))
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


# ---- instructions ----

def stage(scene, name, browser, count):
    """Instructions of one run of a stage: the difference of two lengths."""
    def total(count):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                   scene.args.stages, name, str(count), *(["--browser"] if browser else [])]
        for _ in range(3):  # on a busy machine a decision can meet the engine's time limit
            run = subprocess.run(command, capture_output=True, text=True,
                                 env={**os.environ, **scene.valgrind})
            if run.returncode == 0:
                return int(re.search(r"Collected : (\d+)", run.stderr)[1])
        print(f"stage {name} failed: {run.stderr}", file=sys.stderr)
        return math.nan
    return (total(2 * count) - total(count)) / count / 1000


def whole(scene, name, bundle, count, options=()):
    """Instructions of one request through the release binary: the difference of two runs of load,
    each over as many new connections, in one process that has served before."""
    out, port = scene.work / f"{name}.callgrind", free_port()
    wrap = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    sidecar = scene.sidecar(name, bundle, port, wrap, scene.valgrind)
    totals = []
    for requests in (200, count, 2 * count):
        connections = 4 if "--h2" in options else 16
        scene.load(*scene.mtls(port), "--connections", connections, "--requests", requests, *options)
        time.sleep(0.3)  # the connections have to be closed within the same part
        subprocess.run(["callgrind_control", "--dump", str(sidecar.pid)], check=True,
                       capture_output=True)
        part = pathlib.Path(f"{out}.{len(totals) + 1}")
        totals.append(int(re.search(r"^(?:summary|totals): (\d+)", part.read_text(), re.M)[1]))
    if scene.args.keep_profile:
        for part in (2, 3):
            shutil.copy(f"{out}.{part}", pathlib.Path(scene.args.keep_profile))
    scene.stop(sidecar)
    return (totals[2] - totals[1]) / count / 1000


def instructions(scene):
    """All counts in kinstr, two at a time: a count does not depend on who else runs."""
    long = scene.args.long
    few, many, served = (5_000, 500, 10_000) if long else (500, 50, 1_000)
    jobs = {
        "copy-3": (stage, "copy", False, few),
        "copy-12": (stage, "copy", True, few),
        "head-3": (stage, "head", False, few),
        "head-12": (stage, "head", True, few),
        "copy-20": (stage, "copy-page", False, few),
        "canonical-20": (stage, "canonical-page", False, few),
        "cedar-3": (stage, "cedar3", False, few),
        "cedar-50": (stage, "cedar50", False, many),
        "rego-constant": (stage, "rego-constant", False, few),
        "rego-3": (stage, "rego3", False, many),
        "rego-50": (stage, "rego50", False, many),
        "format-3": (stage, "format", False, few),
        "record-3": (stage, "record", False, few),
        "record-12": (stage, "record", True, few),
        "decide-record": (stage, "decide-record", False, few),
        "whole-cedar-3": (whole, "whole-cedar-3", "cedar-3", served),
        "whole-browser": (whole, "whole-browser", "cedar-3", served, ["--browser"]),
        "whole-cedar-50": (whole, "whole-cedar-50", "cedar-50", served // 4),
        "whole-rego-3": (whole, "whole-rego-3", "rego-3", served // 4),
        "whole-h2": (whole, "whole-h2", "cedar-3", served, ["--h2", "--streams", "4"]),
    }
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        begun = {name: pool.submit(job, scene, *rest) for name, (job, *rest) in jobs.items()}
        found = {name: job.result() for name, job in begun.items()}
    for headers in ("3", "12"):
        found[f"head-{headers}"] -= found.pop(f"copy-{headers}")
    found["canonical-20"] -= found.pop("copy-20")
    path3 = found["whole-cedar-3"] - found["cedar-3"] - found["record-3"]
    path12 = found["whole-browser"] - found["cedar-3"] - found["record-12"]
    return {**found, "path-3": path3, "path-12": path12, "else-3": path3 - found["head-3"]}


ROWS = [
    ("head-3", "canonical head, route, facts: 3 headers"),
    ("head-12", "the same, 12 headers of a browser"),
    ("canonical-20", "canonical head alone: 20 headers of a browser, h1"),
    ("rego-constant", "Rego: input document and engine alone"),
    ("rego-3", "decide, 3 Rego rules, the 2nd allows"),
    ("rego-50", "decide, 50 Rego rules, the 41st allows"),
    ("cedar-3", "decide, 3 Cedar policies"),
    ("cedar-50", "decide, 50 Cedar policies"),
    ("format-3", "record: format"),
    ("record-3", "record: format and append"),
    ("record-12", "the same, 12 headers"),
    ("decide-record", "decide by 3 Cedar policies and record"),
    ("whole-cedar-3", "whole request, h1, 3 Cedar policies, log written"),
    ("whole-browser", "the same, 12 headers"),
    ("whole-cedar-50", "whole request, h1, 50 Cedar policies"),
    ("whole-rego-3", "whole request, h1, 3 Rego rules"),
    ("whole-h2", "whole request, h2, 4 streams, 3 Cedar policies"),
    ("path-3", "h1 path without policy and log (whole - decide - record)"),
    ("path-12", "the same, 12 headers"),
    ("else-3", "of it all but our head stage"),
]


def saved():
    if not SAVED.exists():
        return {}
    lines = [line.split("\t") for line in SAVED.read_text().splitlines() if "\t" in line]
    return {name: float(value) for name, value, *_ in lines}


def print_instructions(found, save):
    before = saved()
    print(f"\n{'user instructions':58}{'kinstr':>9}{'stages.txt':>12}")
    for name, text in ROWS:
        old = f"{before[name]:12.1f}" if name in before else f"{'-':>12}"
        print(f"{text:58}{found[name]:9.1f}{old}")
    if save:
        head = "# kinstr a request: user instructions by callgrind; written by `benches/run --long --save`.\n"
        SAVED.write_text(head + "".join(f"{name}\t{found[name]:.1f}\t{text}\n" for name, text in ROWS))


# ---- time and memory ----

def throughput(scene, sidecar, nginx, ports):
    """Interleaved rounds; medians with the range. CPU is that of the proxy, all its processes."""
    rounds, seconds = (7, 8) if scene.args.long else (3, 3)
    contenders = {"bare upstream": (["--url", f"unix:{scene.work}/app.sock"], None),
                  "sidecar": (scene.mtls(ports["sidecar"]), sidecar.pid)}
    if nginx:
        contenders["nginx"] = (scene.mtls(ports["nginx"]), nginx.pid)
    loads = {"64 connections": [], "2,000/s": ["--rate", 2000]}
    seen = {}
    for turn in range(-1, rounds):
        for load, options in loads.items():
            for name, (target, pid) in contenders.items():
                before, began = pid and cpu_seconds(pid), time.monotonic()
                answer = scene.load(*target, "--connections", 64, *options,
                                    "--seconds", seconds if turn >= 0 else 1)
                busy = (cpu_seconds(pid) - before) if pid else 0
                taken = time.monotonic() - began
                if turn >= 0:
                    row = {**answer, "cpu": busy * 1e6 / max(answer["requests"], 1),
                           "busy": busy / answer["seconds"]}
                    seen.setdefault((load, name), []).append(row)
    return seen


def print_throughput(seen):
    def figure(rows, key, form):
        values = [row[key] for row in rows]
        return f"{form.format(statistics.median(values))} ({form.format(min(values))}-{form.format(max(values))})"
    print(f"\n{'median (range)':16}{'':16}{'requests/s':>26}{'CPU us/request':>24}{'busy':>7}"
          f"{'p50 ms':>9}{'p99 ms':>9}")
    for (load, name), rows in seen.items():
        median = lambda key: statistics.median(row[key] for row in rows)
        print(f"{load:16}{name:16}{figure(rows, 'rps', '{:.0f}'):>26}"
              f"{figure(rows, 'cpu', '{:.1f}') if name != 'bare upstream' else '':>24}"
              f"{median('busy'):7.2f}{median('p50_ms'):9.2f}{median('p99_ms'):9.2f}")
    for load in ("64 connections", "2,000/s"):
        if (load, "nginx") in seen:
            pairs = zip(seen[load, "sidecar"], seen[load, "nginx"])
            ratios = [ours["cpu"] / theirs["cpu"] for ours, theirs in pairs]
            print(f"CPU a request, sidecar / nginx with mTLS and access log, {load}: "
                  f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


def idle(scene, name, process, port):
    """RSS in KiB at start, and per connection with 1,000 open after one request each."""
    count = 1_000
    before = rss_kib(process.pid, whole=name == "nginx")
    children = rss_kib(process.pid) - before
    holder = scene.start(f"{name}.idle", [scene.args.load, "idle", *scene.mtls(port), "--connections",
                         count], LOAD_CPU, lambda text: "open" in text, stdin=subprocess.PIPE)
    after = rss_kib(process.pid, whole=name == "nginx")
    holder.stdin.close()
    holder.wait(10)
    scene.started.remove(holder)
    loader = f" + {children / 1024:.1f} in the loader's process" if name != "nginx" else ""
    print(f"RSS of {name}: {before / 1024:.1f} MiB at start{loader}, {after / 1024:.1f} MiB with "
          f"{count} idle connections ({(after - before) / count:.1f} KiB each)")


def binary_size(scene):
    stripped = scene.work / "stripped"
    subprocess.run(["strip", "-o", stripped, scene.portreeve], check=True)
    print(f"binary, stripped: {stripped.stat().st_size / 2**20:.1f} MiB")


def main():
    parser = argparse.ArgumentParser()
    for binary in ("load", "stages", "portreeve"):
        parser.add_argument(f"--{binary}", required=True)
    parser.add_argument("--short", action="store_false", dest="long")
    parser.add_argument("--long", action="store_true", dest="long")
    parser.add_argument("--save", action="store_true", help="write benches/stages.txt")
    parser.add_argument("--keep-profile", metavar="DIR", help="keep callgrind's files of the whole")
    parser.add_argument("--only", choices=["instructions", "time"])
    parser.set_defaults(long=False)
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    scene = Scene(args)
    try:
        app = scene.work / "app.sock"
        scene.start("upstream", [args.load, "upstream", app], LOAD_CPU, lambda _: app.exists())
        scene.start("trust", [args.load, "trust", scene.work], LOAD_CPU, lambda text: "socket" in text)
        if args.only != "time":
            print_instructions(instructions(scene), args.save)
        if args.only != "instructions":
            ports = {"sidecar": free_port(), "nginx": free_port()}
            sidecar = scene.sidecar("sidecar", "cedar-3", ports["sidecar"])
            nginx = scene.nginx(ports["nginx"]) if shutil.which("nginx") else None
            print()
            time.sleep(1)
            idle(scene, "sidecar", sidecar, ports["sidecar"])
            if nginx:
                idle(scene, "nginx", nginx, ports["nginx"])
            scene.stop(sidecar)  # what a thousand connections took is not given back
            sidecar = scene.sidecar("sidecar", "cedar-3", ports["sidecar"])
            print_throughput(throughput(scene, sidecar, nginx, ports))
            print(f"RSS of sidecar after the load: {rss_kib(sidecar.pid, False) / 1024:.1f} MiB")
            binary_size(scene)
    finally:
        scene.close()


main()
