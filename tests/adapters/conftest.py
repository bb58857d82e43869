"""Workspaces to try things in."""

import pytest
from shops import make_shop


@pytest.fixture(params=["overlay", "copy", "fake"])
def shop(request, tmp_path):
    """Every kind of trees."""
    return make_shop(request.param, tmp_path)


@pytest.fixture(params=["overlay", "copy"])
def real_shop(request, tmp_path):
    """The kinds that agents work in."""
    return make_shop(request.param, tmp_path)


@pytest.fixture
def overlay_shop(tmp_path):
    """The kind that is used where the kernel allows it."""
    return make_shop("overlay", tmp_path)
