#!/usr/bin/env python3
"""Writes `cases/*.json` anew, byte for byte the same each time: keys come from a fixed seed, and signatures
without chance. Run by hand, with the packages of `requirements.txt`:

  python3 conformance/spiffe-x509/generate.py [AREA...]
"""

import importlib
import json
import pathlib
import sys

AREAS = ["ids", "leaf", "chain", "domains", "validity", "algorithms", "extensions", "encodings", "crls"]


def main():
    folder = pathlib.Path(__file__).resolve().parent / "cases"
    ids = set()
    for area in sys.argv[1:] or AREAS:
        cases = importlib.import_module("generator." + area).cases()
        for case in cases:
            assert case["id"] not in ids, case["id"]
            ids.add(case["id"])
        text = json.dumps(cases, indent=2, ensure_ascii=False)
        (folder / (area + ".json")).write_text(text + "\n")
        print("%s: %d cases, %d bytes" % (area, len(cases), len(text)))
    print("%d cases" % len(ids))


main()
