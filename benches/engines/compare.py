"""One table: what a decision costs here, in the engines themselves, in OPA, and in Envoy's RBAC.

Every engine is asked for the same decision on the same policies and the same input document, in turns,
on one processor. Times are CPU time; the engines' own figures begin with a ready input value, ours with
the request. A peer that is not there has a row that says so.
"""

import concurrent.futures
import datetime
import os
import pathlib
import re
import statistics
import subprocess

import engines.envoy as envoy
from asked import ONE_CPU, Asked, counted, timed
from instructions import served, whole
from scene import HERE, cpu_seconds, free_port

SAVED = HERE / "engines.txt"
OURS = "Portreeve, whole decide"
OPA, ENVOY = "OPA, in process", "Envoy, RBAC"
RULES = 50
# The set of policies, the caller, its rule's path where that is another, whether the request is allowed.
SETS = [
    ("plain-50", "50 plain rules, one allows", (40,), "allow"),
    ("plain-50", "50 plain rules, none does", (40, 41), "deny"),
    ("mixed-50", "50 mixed rules, helpers", (40,), "allow"),
    ("mixed-50", "50 mixed rules, 1,000 bindings", (38,), "allow"),
    ("plain-500", "500 plain rules", (400,), "allow"),
    ("plain-10000", "10,000 plain rules", (8_000,), "allow"),
    ("mixed-10000", "10,000 mixed rules", (7_990,), "allow"),
    ("cedar-50", "50 Cedar policies", (40,), "allow"),
    ("cedar-10000", "10,000 Cedar policies", (8_000,), "allow"),
]
REGO = {"regorus, interpreter": "interpreter", "regorus, RVM": "rvm"}
CEDAR = {"Cedar, is_authorized": "cedar", "Cedar, with request and entities": "cedar-whole"}
# How many decisions are counted: the smaller the dearer one is.
COUNTED = {"50": 200, "500": 50, "10000": 5}
# Of one round of one engine.
SECONDS = 0.3


def compare(scene, save):
    check_versions()
    lines = []

    def show(more):
        lines.extend(more)
        print("\n".join(more), flush=True)

    show([heading(scene)])
    for name, text, request, outcome in SETS:
        show(decisions(scene, name, text, request, outcome))
    show(requests(scene))
    if save:
        head = "# Written by `benches/run --engines --save`."
        SAVED.write_text("\n".join([head, *lines]) + "\n")


def check_versions():
    """The engines alone must be those that the product is built on."""
    def versions(lock):
        text = lock.read_text()
        return dict(re.findall(r'name = "(regorus|cedar-policy)"\nversion = "(.*)"', text))
    ours, theirs = versions(HERE.parent / "Cargo.lock"), versions(HERE / "engines/Cargo.lock")
    if ours != theirs:
        raise SystemExit(f"benches/engines/Cargo.lock has {theirs}, the product {ours}")


def heading(scene):
    kind = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    load = os.getloadavg()[0]
    day = datetime.date.today()
    return (f"{day}, {os.cpu_count()} processors ({kind[1] if kind else 'unknown'}), "
            f"load {load:.1f}, {rounds(scene)} rounds; a cell is the median (range)\n\n"
            f"{'policies':32}{'engine':36}{'kinstr':>10}{'CPU us':>26}{'times ours':>12}")


def rounds(scene):
    return 7 if scene.args.long else 5


def row(text, engine, kinstr, values, ours):
    middle = statistics.median(values)
    cell = f"{figure(middle)} ({figure(min(values))}-{figure(max(values))})"
    ratio = figure(statistics.median(a / b for a, b in zip(values, ours))) if ours else "-"
    count = "-" if kinstr is None else figure(kinstr)
    return f"{text:32}{engine:36}{count:>10}{cell:>26}{ratio:>12}"


def figure(value):
    """Three digits or more, and no more behind the point than that takes."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def decisions(scene, name, text, request, outcome):
    """The rows of one set of policies."""
    folder, file = scene.bundle(name), scene.request(*request)
    document = whole_document(scene, file)
    ours = [scene.args.stages, "decide", folder, "--request", file, "--outcome", outcome]
    is_cedar = name.startswith("cedar")
    commands = {OURS: ours}
    for engine, word in (CEDAR if is_cedar else REGO).items():
        commands[engine] = [scene.args.engines, word, folder, document]
    if not is_cedar and scene.args.opa:
        commands[OPA] = [scene.args.opa, folder, document]
    lines = []
    if not is_cedar and not scene.args.opa:
        lines.append(f"{text:32}{OPA}: MISSING, benches/engines/opa was not built")
    programs = {engine: Asked(f"timed-{number}", command, scene.work, ONE_CPU)
                for number, (engine, command) in enumerate(commands.items())}
    try:
        for engine, program in list(programs.items()):
            other = program.outcome not in (None, outcome)
            if program.refused or other:
                why = program.refused or f"it decides {program.outcome}, not {outcome}"
                lines.append(f"{text:32}{engine}: REFUSED, {why[:200]}")
                programs.pop(engine).stop()
        times = timed(programs, rounds(scene), SECONDS)
    finally:
        for program in programs.values():
            program.stop()
    counts = counted_by_name(scene, name, {engine: commands[engine] for engine in times})
    return [row(text, engine, counts.get(engine), values, times.get(OURS))
            for engine, values in times.items()] + lines


def counted_by_name(scene, name, commands):
    """Two at a time, but for OPA: valgrind cannot run Go's threads."""
    count = COUNTED[name.split("-")[1]]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        begun = {engine: pool.submit(counted, scene, f"counted-{number}", command, count)
                 for number, (engine, command) in enumerate(commands.items()) if engine != OPA}
        return {engine: job.result() for engine, job in begun.items()}


def whole_document(scene, request):
    """The input document as our engine sees it, for the others."""
    file = request.with_suffix(".whole.json")
    run = subprocess.run([scene.args.stages, "document", "--request", request], check=True,
                         capture_output=True)
    file.write_bytes(run.stdout)
    return file


def requests(scene):
    """Whole requests with mTLS and one line of log each: our sidecar, and Envoy."""
    bundles = {"Portreeve, Rego": "plain-50", "Portreeve, Cedar": "cedar-50"}
    text, lines, binary = "whole request, h1, 50 rules", [], None
    ports = {name: free_port() for name in (*bundles, ENVOY)}
    started = {name: scene.sidecar(f"whole-{bundle}", bundle, ports[name])
               for name, bundle in bundles.items()}
    if envoy.program():
        started[ENVOY] = envoy.start(scene, ports[ENVOY], RULES)
        # What is installed may be a script that becomes the program.
        binary = os.readlink(f"/proc/{started[ENVOY].pid}/exe")
    else:
        lines.append(f"{text:32}{ENVOY}: MISSING, neither in ENVOY nor in PATH")
    times = turns(scene, started, ports)
    for process in started.values():
        scene.stop(process)
    count = 1_000 if scene.args.long else 250
    counts = {name: whole(scene, f"count-{bundle}", bundle, count)
              for name, bundle in bundles.items()}
    if binary:
        port = free_port()
        start = lambda wrap: envoy.start(scene, port, RULES, wrap, binary, "count-envoy")
        counts[ENVOY] = served(scene, "count-envoy", start, port, count)
    ours = times["Portreeve, Rego"]
    return [row(text, name, counts[name], values, ours) for name, values in times.items()] + lines


def turns(scene, started, ports):
    """CPU microseconds of one request at saturation, of all the processes of each."""
    seen = {name: [] for name in started}
    for turn in range(-1, rounds(scene)):
        for name, process in started.items():
            before = cpu_seconds(process.pid)
            answer = scene.load(*scene.mtls(ports[name]), "--connections", 64,
                                "--seconds", 3 if turn >= 0 else 1)
            if answer["errors"]:
                raise SystemExit(f"{name} did not serve")
            if turn >= 0:
                busy = cpu_seconds(process.pid) - before
                seen[name].append(busy * 1e6 / max(answer["requests"], 1))
    return seen
