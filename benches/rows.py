"""The rows of the table: the decisions that are counted, what they are meant to cost, and their names."""

# The bundle, the request's caller and (where it is another) the rule below whose path it asks, and the
# outcome. Where no request is said it is that of the scene: workload 40 below its own path.
DECISIONS = {
    "rego-constant": ("rego-constant", None, "allow"),
    "rego-3": ("rego-3", None, "allow"),
    "rego-50": ("plain-50", (40,), "allow"),
    "rego-500": ("plain-500", (400,), "allow"),
    "rego-10000": ("plain-10000", (8_000,), "allow"),
    "denied-50": ("plain-50", (40, 41), "deny"),
    "denied-10000": ("plain-10000", (8_000, 8_001), "deny"),
    "candidate-50": ("candidate-50", (40,), "allow"),
    "candidate-10000": ("candidate-10000", (8_000,), "allow"),
    "pair-50": ("pair-50", (40,), "allow"),
    # A rule that calls a helper function, and one behind a helper that is the same for many rules.
    "mixed-50": ("mixed-50", (40,), "allow"),
    "mixed-500": ("mixed-500", (390,), "allow"),
    "mixed-10000": ("mixed-10000", (7_990,), "allow"),
    # A rule that looks a role up among those of 1,000 workloads, and the same one behind a helper.
    "role-50": ("mixed-50", (38,), "allow"),
    "role-10000": ("mixed-10000", (988,), "allow"),
    "mixed-denied-50": ("mixed-50", (39, 40), "deny"),
    "cedar-3": ("cedar-3", None, "allow"),
    "cedar-50": ("cedar-50", (40,), "allow"),
    "cedar-10000": ("cedar-10000", (8_000,), "allow"),
    "cedar-denied-50": ("cedar-50", (40, 41), "deny"),
}

# What the figures are meant to be at most. Of Cedar 22 for candidates, authorizer and diagnostics and
# 12 for the request and the cached entities.
AIMS = {
    "rego-50": 6, "denied-50": 4, "one-candidate": 40, "input": 11, "mixed-but-input": 95,
    "role-but-input": 95, "cedar-50": 34,
}
GROWTH_AIM = 1.3
HANDSHAKE_AIM = 1.1
GROWTH = ["rego", "denied", "candidate", "mixed", "role", "cedar"]

ROWS = [
    ("shake-plain", "full handshake, both ends: plain rustls with webpki"),
    ("shake-1", "the same, ours, 1 trust domain"),
    ("shake-100", "the same, 100 trust domains"),
    ("shake-1000", "the same, 1,000 trust domains"),
    ("head-3", "canonical head, route, facts: 3 headers"),
    ("head-12", "the same, 12 headers of a browser"),
    ("canonical-20", "canonical head alone: 20 headers of a browser, h1"),
    ("rego-constant", "decide, one Rego rule that is a constant"),
    ("rego-3", "decide, 3 Rego rules, the 2nd allows"),
    ("rego-50", "decide, 50 plain rules, the 41st allows"),
    ("rego-500", "the same, 500 rules"),
    ("rego-10000", "the same, 10,000 rules"),
    ("denied-50", "decide, 50 plain rules, none matches: the index"),
    ("denied-10000", "the same, 10,000 rules"),
    ("candidate-50", "decide, 50 rules that need the interpreter, one matches"),
    ("candidate-10000", "the same, 10,000 rules"),
    ("pair-50", "the same, 50 rules, two match"),
    ("one-candidate", "one candidate by the interpreter (the difference)"),
    ("input", "input document and engine (one matches - candidate - index)"),
    ("mixed-50", "decide, 50 mixed rules, two candidates: helpers"),
    ("mixed-but-input", "the same without input document and engine"),
    ("mixed-500", "the same, 500 rules"),
    ("mixed-10000", "the same, 10,000 rules"),
    ("role-50", "decide, 50 mixed rules, two candidates: 1,000 bindings"),
    ("role-but-input", "the same without input document and engine"),
    ("role-10000", "the same, 10,000 rules"),
    ("mixed-denied-50", "decide, 50 mixed rules, denied"),
    ("cedar-3", "decide, 3 Cedar policies"),
    ("cedar-50", "decide, the plain rules as 50 Cedar policies"),
    ("cedar-10000", "the same, 10,000 policies"),
    ("cedar-denied-50", "decide, 50 Cedar policies, none matches"),
    ("format-3", "record: format"),
    ("record-3", "record: format and append"),
    ("record-12", "the same, 12 headers"),
    ("decide-record", "decide by 3 Cedar policies and record"),
    ("whole-cedar-3", "whole request, h1, 3 Cedar policies, log written"),
    ("whole-browser", "the same, 12 headers"),
    ("whole-cedar-50", "whole request, h1, 50 Cedar policies"),
    ("whole-rego-3", "whole request, h1, 3 Rego rules"),
    ("whole-rego-50", "whole request, h1, 50 plain Rego rules"),
    ("whole-h2", "whole request, h2, 4 streams, 3 Cedar policies"),
    ("path-3", "h1 path without policy and log (whole - decide - record)"),
    ("path-12", "the same, 12 headers"),
    ("else-3", "of it all but our head stage"),
]
