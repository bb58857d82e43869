"""Its folder is on the import path of all tests, so that they can share `stories.py`."""

import os

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow and nothing else; and who changes one thing wants to see the same examples as before.
settings.register_profile("reeve", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("reeve")


@pytest.fixture(scope="session", autouse=True)
def _nobodys_profile(tmp_path_factory):
    """No test may depend on the rules that whoever runs it has for agents, nor on their keys."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"):
        os.environ.pop(name, None)
