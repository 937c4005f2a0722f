"""JWT-SVIDs that the agent issues."""

LISTENERS = ""

CHECKS = []
