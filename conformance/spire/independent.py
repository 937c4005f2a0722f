"""The PyPI packages against the sidecar, with identities of a real agent."""

CHECKS = []
