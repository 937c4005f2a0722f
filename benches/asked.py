"""Programs that decide as often as they are asked to: `ready`, then `done` for each line with a count."""

import math
import os
import pathlib
import re
import signal
import subprocess
import sys

from scene import PROXY_CPU

ONE_CPU = ["taskset", "-c", PROXY_CPU]


class Asked:
    """One such program, started and ready; `refused` says in its words why it is not."""

    def __init__(self, name, command, folder, wrap=(), env=None):
        self.errors = folder / f"{name}.errors"
        with open(self.errors, "w") as errors:
            self.process = subprocess.Popen(
                [*wrap, *map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors, text=True, bufsize=1, env={**os.environ, **(env or {})})
        ready = self.process.stdout.readline().split()
        self.refused = None
        if ready[:1] != ["ready"]:
            self.refused = self.why()
        self.outcome = ready[1] if len(ready) > 1 else None

    def why(self):
        self.process.wait()
        lines = self.errors.read_text().splitlines()
        own = [line for line in lines if line and not line.startswith("==")]
        return " ".join(own).partition("Stack backtrace")[0] or f"ended with {self.process.returncode}"

    def ask(self, count):
        self.process.stdin.write(f"{count}\n")
        if self.process.stdout.readline() != "done\n":
            raise ChildProcessError(self.why())

    def cpu_ns(self):
        """Of all its threads, as the scheduler counts them."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)  # freeing a large bundle takes its time
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()


def counted(scene, name, command, count):
    """Instructions of one decision in kinstr; loading is not instrumented and so not slow."""
    out = scene.work / f"{name}.callgrind"
    wrap = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
    program = Asked(name, command, scene.work, wrap, scene.valgrind)
    try:
        if program.refused:
            raise ChildProcessError(program.refused)
        control(program.process, "--instr=on")
        totals = []
        for decisions in (1, count, 2 * count):
            program.ask(decisions)
            control(program.process, "--dump")
            part = pathlib.Path(f"{out}.{len(totals) + 1}").read_text()
            totals.append(int(re.search(r"^(?:summary|totals): (\d+)", part, re.M)[1]))
        return (totals[2] - totals[1]) / count / 1000
    except ChildProcessError as error:
        print(f"{name} failed: {error}", file=sys.stderr)
        return math.nan
    finally:
        program.stop()


def control(process, order):
    subprocess.run(["callgrind_control", order, str(process.pid)], check=True, capture_output=True)


def timed(programs, rounds, seconds):
    """CPU microseconds of one decision of each program, a list of `rounds`, in turns, each program
    started on `ONE_CPU`."""
    counts = {}
    for name, program in programs.items():
        count, taken = 1, 0
        while taken < seconds * 1e9 / 8:  # caches and collectors settle meanwhile
            count = max(count * 2, 10)
            before = program.cpu_ns()
            program.ask(count)
            taken = program.cpu_ns() - before
        counts[name] = max(int(seconds * 1e9 * count / taken), 1)
    found = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            before = program.cpu_ns()
            program.ask(counts[name])
            found[name].append((program.cpu_ns() - before) / counts[name] / 1000)
    return found
