"""Private data and results in a store outside the repository, by fsspec."""

from __future__ import annotations

import pytest
import yaml

from harness.board.index import CardIndex
from harness.card.files import write_card
from harness.ci.history import BoardFolder
from harness.ci.opening import carry_decisions, open_cards
from harness.ci.private import open_contest, open_results
from harness.errors import EnvironmentFaultError, UsageError
from tests.cards import make_card, make_challenge
from tests.events import make_challenge as make_toy
from tests.events import make_events, toy_file, write_hdf5


@pytest.fixture
def store():
    import fsspec

    made = fsspec.filesystem("memory")
    made.store.clear()
    return made


def put(store, path, content):
    store.pipe_file(path, content)


def test_results_come_from_the_store_and_what_is_new_goes_back(store):
    put(store, "/r/sample/a/one.json", b"old")
    put(store, "/r/sample/attempts.jsonl", b"1\n")
    with open_results("memory://r") as folder:
        assert (folder / "sample/a/one.json").read_bytes() == b"old"
        (folder / "sample/b").mkdir()
        (folder / "sample/b/two.json").write_bytes(b"new")
        (folder / "sample/b/.lock").write_bytes(b"")
        (folder / "sample/attempts.jsonl").write_bytes(b"1\n2\n")

    assert store.cat_file("/r/sample/b/two.json") == b"new"
    assert store.cat_file("/r/sample/attempts.jsonl") == b"1\n2\n"
    assert not store.exists("/r/sample/b/.lock")


def test_a_card_in_the_store_is_never_overwritten(store):
    put(store, "/r/sample/a/one.json", b"old")
    with open_results("memory://r") as folder:
        (folder / "sample/a/one.json").write_bytes(b"forged")
    assert store.cat_file("/r/sample/a/one.json") == b"old"


def test_what_was_scored_goes_back_even_if_the_run_fails_later(store):
    def fail_later() -> None:
        with open_results("memory://r") as folder:
            (folder / "attempts.jsonl").write_bytes(b"1\n")
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        fail_later()
    assert store.cat_file("/r/attempts.jsonl") == b"1\n"


def test_a_contest_is_fetched_from_the_store_into_the_cache(store, tmp_path):
    for name, seed in (("background.h5", 1), ("secret.h5", 2)):
        path = write_hdf5(tmp_path / name, make_events(300, seed=seed))
        put(store, f"/p/{name}", path.read_bytes())
    rules = make_toy(
        [toy_file("background.h5"), toy_file("secret.h5", role="hidden", process="zprime")],
        name="final",
    )
    manifest = {"schema": 1, "challenges": [rules.model_dump(mode="json")]}
    put(store, "/p/private.yaml", yaml.safe_dump(manifest).encode())

    with open_contest("memory://p/private.yaml", None, tmp_path / "cache") as contest:
        assert contest.rules == rules
        assert contest.manifest.read_bytes() == store.cat_file("/p/private.yaml")
    assert not contest.manifest.exists()
    # What is in the cache is not fetched again.
    store.rm_file("/p/secret.h5")
    with open_contest("memory://p/private.yaml", "final", tmp_path / "cache"):
        pass


def test_an_address_is_not_told_where_the_store_fails(store):
    with (
        pytest.raises(EnvironmentFaultError) as caught,
        open_contest("memory://token-in-here/private.yaml", None, None),
    ):
        pass
    assert "token-in-here" not in str(caught.value)


def test_a_manifest_that_is_not_there_is_told(tmp_path):
    with (
        pytest.raises(UsageError, match="No such file"),
        open_contest(str(tmp_path / "private.yaml"), None, None),
    ):
        pass


def test_opening_shows_the_whole_cards_and_keeps_the_decisions(tmp_path):
    from harness.board.decisions import Decision, add_decision, read_decisions
    from harness.board.public import public_part

    board, private = BoardFolder(tmp_path / "board"), tmp_path / "private"
    card = make_card("team_a", challenge=make_challenge(hidden=("hplus",)))
    whole = write_card(card, private)
    public = write_card(public_part(card), board.results)
    assert whole.stem != public.stem
    decision = Decision(
        kind="retract", decided="2026-03-01T12:00:00Z", reason="a bug", card=f"team_a/{public.stem}"
    )
    add_decision(board.results, "sample", decision)

    open_cards(private, board, "sample")
    carry_decisions(board)
    (entry,) = CardIndex(board.opened).refresh().entries["sample"]
    assert "hplus" in entry.card.firmware_physics.auc
    assert (board.opened / "sample" / "team_a" / whole.name).read_bytes() == whole.read_bytes()
    retracted, revealed = read_decisions(board.opened, "sample").decisions
    assert (revealed.kind, revealed.signal) == ("reveal", "hplus")
    assert (retracted.kind, retracted.card) == ("retract", f"team_a/{whole.stem}")


def test_opening_a_challenge_without_cards_is_a_fault_of_the_call(tmp_path):
    with pytest.raises(UsageError, match="no private card"):
        open_cards(tmp_path, BoardFolder(tmp_path), "sample")
