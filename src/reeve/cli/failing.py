"""One task for each test that fails at HEAD."""

from reeve.durable.world import World
from reeve.errors import CheckError, SetupError
from reeve.ports import CheckRequest
from reeve.records import Checks, RepoSource, Task
from reeve.settings import Settings, task_defaults
from reeve.task import failing_tasks

__all__ = ["tasks_that_fail"]


def tasks_that_fail(world: World, settings: Settings) -> tuple[Task, ...]:
    """Measure the whole suite at HEAD, twice so that flaky tests are known, and make tasks of what fails.

    Raises SetupError or CheckError where nothing could be measured.
    """
    defaults = task_defaults(settings)
    source = RepoSource(path=str(defaults.repo))
    probe = Task("failing", "", source, limits=defaults.limits, setup=defaults.setup, env=defaults.env)
    repo = world.repository_of(probe)
    base = world.objects.import_base(repo, "HEAD")
    environment = world.environments.prepare(probe, base)
    if not environment.ok:
        log = world.journal.store.get(environment.log).decode("utf-8", "replace") if environment.log else ""
        raise SetupError(f"setting up {base.repo}: {environment.reason}", log=log)
    whole = Checks(keep=(".",))
    request = CheckRequest(base.tree, base.tree, whole, environment, defaults.limits, defaults.env, runs=2)
    measured = world.check.measure(request)
    if measured.problem and not measured.tests:
        raise CheckError(f"measuring the tests of {base.repo} at HEAD: {measured.problem}")
    return failing_tasks(measured, defaults)
