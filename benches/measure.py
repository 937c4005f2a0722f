"""Measures what benches/run has built; run that. Everything it starts it also stops, by pid."""

import argparse
import os
import resource
import shutil
import signal
import sys
import time

from engines.compare import compare
from instructions import instructions, print_instructions
from scene import LOAD_CPU, Scene, free_port, rss_kib
from times import binary_size, idle, loads, print_throughput, snapshot, throughput


def main():
    parser = argparse.ArgumentParser()
    for binary in ("load", "stages", "portreeve"):
        parser.add_argument(f"--{binary}", required=True)
    parser.add_argument("--engines", help="the engines alone: compare with them and nothing else")
    parser.add_argument("--opa", help="OPA's engine alone")
    parser.add_argument("--short", action="store_false", dest="long")
    parser.add_argument("--long", action="store_true", dest="long")
    parser.add_argument("--save", action="store_true",
                        help="write benches/stages.txt, or with --engines benches/engines.txt")
    parser.add_argument("--keep-profile", metavar="DIR", help="keep callgrind's files of the whole")
    parser.add_argument("--only", choices=["decisions", "handshakes", "instructions", "time"])
    parser.set_defaults(long=False)
    args = parser.parse_args()
    os.environ.pop("RUST_BACKTRACE", None)  # with it every error that regorus makes walks the stack
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    scene = Scene(args)
    try:
        app = scene.work / "app.sock"
        scene.start("upstream", [args.load, "upstream", app], LOAD_CPU, lambda _: app.exists())
        scene.start("trust", [args.load, "trust", scene.work], LOAD_CPU, lambda text: "socket" in text)
        if args.engines:
            compare(scene, args.save)
            return
        if args.only != "time":
            is_whole = args.only in (None, "instructions")
            print_instructions(instructions(scene, args.only), args.save and is_whole)
            if args.only != "handshakes":
                loads(scene)
            if args.only != "decisions":
                snapshot(scene)
        if args.only in (None, "time"):
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
