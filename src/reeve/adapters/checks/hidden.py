"""The tests of a task that no attempt saw."""

from reeve.ports import CheckRequest, Objects

__all__ = ["with_hidden"]


def with_hidden(objects: Objects, request: CheckRequest) -> str:
    """Lay the tests that no attempt saw over the tree, for a run only; raises PatchError where they do not fit."""
    checks, tree = request.checks, request.tree
    if checks.test_patch:
        tree = objects.apply(tree, checks.test_patch.encode("utf-8", "surrogateescape"))
    if checks.hidden:
        tree = objects.write(tree, {file.path: (file.content, False) for file in checks.hidden})
    return tree
