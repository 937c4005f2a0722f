"""User instructions by callgrind, as differences of two lengths."""

import concurrent.futures
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from asked import control, counted
from rows import AIMS, DECISIONS, GROWTH, GROWTH_AIM, HANDSHAKE_AIM, ROWS
from scene import HERE, free_port

SAVED = HERE / "stages.txt"


def stage(scene, name, browser, count):
    """Instructions of one run of a stage: the difference of two lengths."""
    def total(count):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                   scene.args.stages, "repeat", name, str(count), *(["--browser"] if browser else [])]
        run = subprocess.run(command, capture_output=True, text=True,
                             env={**os.environ, **scene.valgrind})
        if run.returncode == 0:
            return int(re.search(r"Collected : (\d+)", run.stderr)[1])
        print(f"stage {name} failed: {run.stderr}", file=sys.stderr)
        return math.nan
    return (total(2 * count) - total(count)) / count / 1000


def handshake(scene, name, options, count):
    """One full handshake, client and server: the difference of two lengths."""
    def total(count):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                   scene.args.stages, "handshake", str(count), *options]
        run = subprocess.run(command, capture_output=True, text=True,
                             env={**os.environ, **scene.valgrind})
        if run.returncode == 0:
            return int(re.search(r"Collected : (\d+)", run.stderr)[1])
        print(f"{name} failed: {run.stderr}", file=sys.stderr)
        return math.nan
    # New keys cost a little more or less in every process, which many handshakes level out.
    return (total(3 * count) - total(count)) / (2 * count) / 1000


def decide(scene, name, bundle, request, outcome, count):
    """One decision, in a process that has decided before."""
    command = [scene.args.stages, "decide", scene.bundle(bundle), "--outcome", outcome]
    if request:
        command += ["--request", scene.request(*request)]
    return counted(scene, name, command, count)


def whole(scene, name, bundle, count, options=()):
    """One request through the release binary."""
    port = free_port()
    start = lambda wrap: scene.sidecar(name, bundle, port, wrap, scene.valgrind)
    return served(scene, name, start, port, count, options)


def served(scene, name, start, port, count, options=()):
    """The difference of two runs of load, each over as many new connections, in one process that has
    served before."""
    out = scene.work / f"{name}.callgrind"
    # Starting is slow enough without being counted.
    process = start(["valgrind", "--tool=callgrind", "--instr-atstart=no",
                     f"--callgrind-out-file={out}"])
    control(process, "--instr=on")
    totals = []
    for requests in (200, count, 2 * count):
        connections = 4 if "--h2" in options else 16
        scene.load(*scene.mtls(port), "--connections", connections, "--requests", requests, *options)
        time.sleep(0.3)  # the connections have to be closed within the same part
        control(process, "--dump")
        part = pathlib.Path(f"{out}.{len(totals) + 1}")
        totals.append(int(re.search(r"^(?:summary|totals): (\d+)", part.read_text(), re.M)[1]))
    if scene.args.keep_profile:
        for part in (2, 3):
            shutil.copy(f"{out}.{part}", pathlib.Path(scene.args.keep_profile))
    scene.stop(process)
    return (totals[2] - totals[1]) / count / 1000


def instructions(scene, only):
    """All counts in kinstr, two at a time: a count does not depend on who else runs."""
    long = scene.args.long
    few, many, served = (5_000, 500, 10_000) if long else (500, 50, 1_000)
    shakes = 200 if long else 50
    decisions = {name: (decide, name, *rest, many) for name, rest in DECISIONS.items()}
    handshakes = {"shake-plain": (handshake, "shake-plain", ["--plain"], shakes)}
    for domains in ("1", "100", "1000"):
        name = f"shake-{domains}"
        handshakes[name] = (handshake, name, ["--domains", domains], shakes)
    others = {
        "copy-3": (stage, "copy", False, few),
        "copy-12": (stage, "copy", True, few),
        "head-3": (stage, "head", False, few),
        "head-12": (stage, "head", True, few),
        "copy-20": (stage, "copy-page", False, few),
        "canonical-20": (stage, "canonical-page", False, few),
        "format-3": (stage, "format", False, few),
        "record-3": (stage, "record", False, few),
        "record-12": (stage, "record", True, few),
        "decide-record": (stage, "decide-record", False, few),
        "whole-cedar-3": (whole, "whole-cedar-3", "cedar-3", served),
        "whole-browser": (whole, "whole-browser", "cedar-3", served, ["--browser"]),
        "whole-cedar-50": (whole, "whole-cedar-50", "cedar-50", served // 4),
        "whole-rego-3": (whole, "whole-rego-3", "rego-3", served // 4),
        "whole-rego-50": (whole, "whole-rego-50", "plain-50", served // 4),
        "whole-h2": (whole, "whole-h2", "cedar-3", served, ["--h2", "--streams", "4"]),
    }
    parts = {"decisions": decisions, "handshakes": handshakes}
    jobs = parts.get(only) or {**decisions, **handshakes, **others}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        begun = {name: pool.submit(job, scene, *rest) for name, (job, *rest) in jobs.items()}
        found = {name: job.result() for name, job in begun.items()}
    if only == "handshakes":
        return found
    found["one-candidate"] = found["pair-50"] - found["candidate-50"]
    found["input"] = found["candidate-50"] - found["one-candidate"] - found["denied-50"]
    for mixed in ("mixed", "role"):
        found[f"{mixed}-but-input"] = found[f"{mixed}-50"] - found["input"]
    if only == "decisions":
        return found
    for headers in ("3", "12"):
        found[f"head-{headers}"] -= found.pop(f"copy-{headers}")
    found["canonical-20"] -= found.pop("copy-20")
    path3 = found["whole-cedar-3"] - found["cedar-3"] - found["record-3"]
    path12 = found["whole-browser"] - found["cedar-3"] - found["record-12"]
    return {**found, "path-3": path3, "path-12": path12, "else-3": path3 - found["head-3"]}


def saved():
    if not SAVED.exists():
        return {}
    lines = [line.split("\t") for line in SAVED.read_text().splitlines() if "\t" in line]
    return {name: float(value) for name, value, *_ in lines}


def print_instructions(found, save):
    before = saved()
    print(f"\n{'user instructions':64}{'kinstr':>9}{'stages.txt':>12}{'aim':>6}")
    for name, text in ROWS:
        if name not in found:
            continue
        old = f"{before[name]:.1f}" if name in before else "-"
        print(f"{text:64}{found[name]:9.1f}{old:>12}{AIMS.get(name, ''):>6}")
    if "rego-50" in found:
        print_growth(found)
    if "shake-plain" in found:
        print_handshakes(found)
    if save:
        head = "# kinstr a request: user instructions by callgrind; `benches/run --save` writes it.\n"
        rows = [f"{name}\t{found[name]:.1f}\t{text}\n" for name, text in ROWS]
        SAVED.write_text(head + "".join(rows))


def print_growth(found):
    print(f"\n{'growth from 50 to 10,000 rules':64}{'ratio':>9}{'':12}{'aim':>6}")
    for name in GROWTH:
        ratio = found[f"{name}-10000"] / found[f"{name}-50"]
        print(f"{dict(ROWS)[f'{name}-50']:64}{ratio:9.2f}{'':12}{GROWTH_AIM:6}")


def print_handshakes(found):
    print(f"\n{'handshake beside plain rustls':64}{'ratio':>9}{'':12}{'aim':>6}")
    for domains in ("1", "100", "1000"):
        ratio = found[f"shake-{domains}"] / found["shake-plain"]
        print(f"{dict(ROWS)[f'shake-{domains}']:64}{ratio:9.3f}{'':12}{HANDSHAKE_AIM:6}")
