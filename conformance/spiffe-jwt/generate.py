#!/usr/bin/env python3
"""Writes the cases of `portreeve conformance spiffe-jwt` anew. Run by hand after a change to a rule:

  python3 -m venv /tmp/venv && /tmp/venv/bin/pip install cryptography==50.0.2
  /tmp/venv/bin/python conformance/spiffe-jwt/generate.py

Keys follow from their names and signatures from their messages, and the time of each case is fixed:
two runs write the same files, and the cases never age.
"""

import json
import pathlib

import key_cases
import token_cases

FILES = {
    "form": token_cases.form,
    "header": token_cases.headers,
    "subject": token_cases.subjects,
    "audience": token_cases.audiences,
    "times": token_cases.times,
    "bundles": key_cases.trust_domains,
    "keys": key_cases.entries,
    "algorithms": key_cases.algorithms,
    "signatures": key_cases.signatures,
}


def main():
    folder = pathlib.Path(__file__).resolve().parent / "cases"
    ids = set()
    for name, cases in FILES.items():
        cases = list(cases())
        for case in cases:
            case["id"] = f"{name}: {case['id']}"
            assert case["id"] not in ids, case["id"]
            ids.add(case["id"])
        lines = ",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in cases)
        (folder / f"{name}.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(ids)} cases")


if __name__ == "__main__":
    main()
