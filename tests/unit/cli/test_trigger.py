"""Commands after the trigger refuse what they cannot do before the work, which takes hours."""

from __future__ import annotations

import pytest

from harness.cli import cli
from harness.errors import UsageError


def never(*_words: object, **_more: object) -> None:
    raise AssertionError("the analysis began")


@pytest.mark.parametrize("name", ["../card", "Two Words", ""])
@pytest.mark.parametrize(
    ("command", "analysis", "needed"),
    [
        ("cluster", "harness.trigger.cluster.cluster_events", "--expected"),
        ("watch", "harness.trigger.watch.watch_folder", "--reference"),
    ],
)
def test_a_bad_name_to_publish_is_refused_before_the_analysis(
    tmp_path, monkeypatch, command, analysis, needed, name
):
    monkeypatch.setattr(analysis, never)
    words = [command, str(tmp_path), needed, str(tmp_path), "--publish", name]

    with pytest.raises(UsageError, match="is no name of a report"):
        cli.main(words, standalone_mode=False)
