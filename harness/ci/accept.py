"""A branch that was pushed to a bare remote is merged, as a forge merges a pull request.

The merge is made from git's objects: no work tree is needed, and nothing of the branch is run. The
time of the merge is when the main branch received the submissions.
"""

from __future__ import annotations

from harness.challenge import IntakeRules
from harness.ci.documents import Plan
from harness.ci.git import GitError, Repository, identity
from harness.ci.plan import make_plan
from harness.data.manifest import Manifest
from harness.errors import EnvironmentFaultError

# Attempts where others push to the main branch, too.
_MAX_MERGES = 10


def accept_branch(
    repository: Repository,
    head: str,
    *,
    intake: IntakeRules,
    main: str = "main",
    author: str | None = None,
    challenges: Manifest | None = None,
) -> Plan:
    """Merge a branch into the main branch, if it brings submissions and nothing else.

    Parameters
    ----------
    repository : Repository
        A bare one.
    head : str
        A commit, or a branch.
    intake, author, challenges
        See `make_plan`.

    Returns
    -------
    Plan
        What was merged; nothing where its kind is not ``submissions``.
    """
    commit = repository.resolve(head)
    for _ in range(_MAX_MERGES):
        base = repository.resolve(main)
        plan = make_plan(
            repository, base=base, head=commit, intake=intake, author=author, challenges=challenges
        )
        if plan.kind != "submissions" or _is_merged(repository, plan, base, commit, main):
            return plan
    raise EnvironmentFaultError(
        f"others pushed to {main} before each of {_MAX_MERGES} attempts", fix="push it again"
    )


def _is_merged(repository: Repository, plan: Plan, base: str, head: str, main: str) -> bool:
    """Make the merge of a plan the tip of the main branch; False if somebody else was faster."""
    teams = ", ".join(one.team for one in plan.submissions)
    made = repository.text(
        *("commit-tree", repository.merge(base, head).tree, "-p", base, "-p", head),
        *("-m", f"Merge {teams}"),
        variables=identity(plan.author or "harness"),
    )
    try:
        repository.run("update-ref", f"refs/heads/{main}", made, base)
    except GitError:
        if repository.resolve(main) == base:
            raise
        return False
    return True
