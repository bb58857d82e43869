"""A policy is named by what it says: equal policies have one version, and no other has it."""

import hashlib
import json
from dataclasses import asdict, replace

from reeve.records import Policy

__all__ = ["versioned"]

DIGITS = 12


def versioned(policy: Policy) -> Policy:
    """Return the policy with the version that belongs to its content; the version it came with does not count."""
    content = {name: value for name, value in asdict(policy).items() if name != "version"}
    if policy.fit is None:  # a policy without one is named as it was before there were any
        del content["fit"]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return replace(policy, version=digest[:DIGITS])
