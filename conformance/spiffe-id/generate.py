#!/usr/bin/env python3
"""Writes `cases/bytes.json` of `portreeve conformance spiffe-id` anew: each code point of Latin-1 in a
trust domain and in a path. Run by hand after a change to a rule; without one it writes the file as it stands.

  python3 conformance/spiffe-id/generate.py
"""

import json
import pathlib
import string

# SPIFFE-ID 2.1 and 2.2. A slash in the trust domain ends it, and begins the path.
TRUST_DOMAIN = set(string.ascii_lowercase + string.digits + "-._/")
PATH = set(string.ascii_letters + string.digits + "-._/")
PLACES = [
    ("trust domain", "spiffe://a{}test/web", TRUST_DOMAIN, "id.trust_domain_character"),
    ("path", "spiffe://a.test/w{}b", PATH, "id.path_character"),
]


def cases():
    for place, form, allowed, reason in PLACES:
        for code in range(256):
            uri = form.format(chr(code))
            says = {"expected_id": uri} if chr(code) in allowed else {"expected_reason": reason}
            yield {"id": f"code point {code} in the {place}", "uri": uri, **says}


if __name__ == "__main__":
    lines = ",\n".join("  " + json.dumps(case) for case in cases())
    file = pathlib.Path(__file__).resolve().parent / "cases" / "bytes.json"
    file.write_text(f"[\n{lines}\n]\n")
