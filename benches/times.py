"""Time and memory: the sidecar beside nginx, and what loading a bundle takes."""

import json
import statistics
import subprocess
import time

from scene import LOAD_CPU, cpu_seconds, rss_kib


def loads(scene):
    """What a fresh process takes to load 10,000 rules, the median of three."""
    print(f"\n{'loading 10,000 rules':24}{'s of CPU':>10}{'MiB at most':>13}{'MiB before':>12}")
    for kind, text in (("plain", "Rego, plain"), ("mixed", "Rego, mixed"), ("cedar", "Cedar")):
        command = [scene.args.stages, "load", scene.bundle(f"{kind}-10000")]
        runs = [subprocess.run(command, capture_output=True, text=True) for _ in range(3)]
        failed = [run.stderr.strip() for run in runs if run.returncode]
        if failed:
            print(f"{text:24}FAILED: {failed[0]}")
            continue
        figures = [json.loads(run.stdout) for run in runs]
        median = lambda key: statistics.median(figure[key] for figure in figures)
        print(f"{text:24}{median('seconds'):10.2f}{median('peak_kib') / 1024:13.0f}"
              f"{median('before_kib') / 1024:12.0f}")


def snapshot(scene):
    """Preparing the trust of 1,000 domains, the median of three processes."""
    command = [scene.args.stages, "snapshot", "1000"]
    runs = [subprocess.run(command, capture_output=True, text=True) for _ in range(3)]
    failed = [run.stderr.strip() for run in runs if run.returncode]
    if failed:
        print(f"snapshot of 1,000 trust domains FAILED: {failed[0]}")
        return
    millis = statistics.median(float(run.stdout) for run in runs)
    print(f"\nsnapshot of 1,000 trust domains: {millis:.1f} ms (aim 10)")


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
