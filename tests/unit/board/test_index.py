"""The index reads what is new, tells what it can't read, and opens nothing else."""

from __future__ import annotations

import os
import time

import pytest

from harness.board import index as index_module
from harness.board.boards import Boards
from harness.board.entry import Entry
from harness.board.index import CardIndex
from harness.card.files import MAX_CARD_BYTES
from harness.card.hardware import Artefact
from harness.errors import UsageError
from tests.boxes import make_opened, write_opened
from tests.cards import (
    make_board,
    make_card,
    make_challenge,
    make_firmware,
    make_summary,
    write_board,
)
from tests.effort import processor_s
from tests.reaches import firmware_of_program, make_reach, write_reach
from tests.trigger_reports import make_cluster_report, make_watch_report, write_report


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """Names of the cards that are opened."""
    opened = []
    read_card = index_module.read_card

    def spy(path):
        opened.append(path.name)
        return read_card(path)

    monkeypatch.setattr(index_module, "read_card", spy)
    return opened


def test_cards_are_found_by_challenge_team_and_name(tmp_path):
    paths = write_board(make_board(3), tmp_path)

    snapshot = CardIndex(tmp_path).refresh()

    assert len(snapshot.entries["sample"]) == 3
    key = f"{paths[1].parent.name}/{paths[1].stem}"
    (found,) = (entry for entry in snapshot.entries["sample"] if entry.key == key)
    assert found.card.submission.team == paths[1].parent.name
    assert snapshot.unreadable == ()


def test_no_folder_and_an_empty_one_are_empty_boards(tmp_path):
    assert CardIndex(tmp_path / "none").refresh().entries == {}
    assert CardIndex(tmp_path).refresh().entries == {}


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "..", "x/../y", "\x00", "a" * 10_000])
def test_names_from_outside_are_looked_up_and_never_opened(tmp_path, reads, name):
    write_board(make_board(1), tmp_path)
    index = CardIndex(tmp_path)
    (entry,) = index.refresh().entries["sample"]
    asked = [("sample", f"team_000/{name}"), ("sample", f"{name}/{name}"), (name, entry.key)]
    reads.clear()
    for challenge, key in asked:
        wanted = Entry(key=key, card=entry.card)
        assert index.whole(challenge, wanted) is wanted
        assert index.artefacts_of(challenge, wanted) == ()
    assert reads == []


def test_only_new_and_changed_cards_are_read_again(tmp_path, reads):
    paths = write_board(make_board(3), tmp_path)
    index = CardIndex(tmp_path)
    first = index.refresh()
    assert len(reads) == 3

    assert index.refresh() is first
    assert len(reads) == 3

    write_board([make_card("newcomer")], tmp_path)
    second = index.refresh()
    assert len(reads) == 4
    assert second.version > first.version
    assert len(second.entries["sample"]) == 4

    paths[0].unlink()
    third = index.refresh()
    assert len(reads) == 4
    assert len(third.entries["sample"]) == 3


def test_a_card_replaced_by_one_of_equal_size_and_time_is_read_again(tmp_path, reads):
    (path,) = write_board([make_card("team_a", title="abc")], tmp_path)
    index = CardIndex(tmp_path)
    index.refresh()
    status = path.stat()
    time.sleep(0.02)
    path.write_bytes(path.read_bytes().replace(b'"abc"', b'"xyz"'))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    snapshot = index.refresh()

    assert snapshot.entries["sample"][0].card.submission.title == "xyz"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "EOF"),
        (b"{", "EOF"),
        (b"not json", "expected"),
        (b"{}", "Field required"),
        (b"[1, 2]", "object"),
        (b'{"schema_version": 7}', "newer harness: schema version 7, this one reads up to 1"),
        (b"\xff\xfe\x00", "JSON"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_broken_card_is_listed_with_its_reason_and_the_others_live_on(tmp_path, content, reason):
    write_board(make_board(2), tmp_path)
    (tmp_path / "sample" / "team_000" / "broken.json").write_bytes(content)

    snapshot = CardIndex(tmp_path).refresh()

    assert len(snapshot.entries["sample"]) == 2
    (unreadable,) = snapshot.unreadable
    assert unreadable.name == "sample/team_000/broken.json"
    assert reason in unreadable.reason


def test_a_card_mended_in_place_is_read(tmp_path):
    (path,) = write_board([make_card()], tmp_path)
    good = path.read_bytes()
    path.write_bytes(good[:-100])
    index = CardIndex(tmp_path)
    assert len(index.refresh().unreadable) == 1
    path.write_bytes(good)
    assert index.refresh().unreadable == ()


def test_a_card_in_the_folder_of_another_team_is_refused(tmp_path):
    (path,) = write_board([make_card("team_a")], tmp_path)
    other = tmp_path / "sample" / "team_b"
    other.mkdir()
    (other / path.name).write_bytes(path.read_bytes())

    (unreadable,) = CardIndex(tmp_path).refresh().unreadable

    assert "says it is of sample/team_a but lies in sample/team_b" in unreadable.reason


def test_links_are_not_followed(tmp_path):
    results, outside = tmp_path / "results", tmp_path / "outside"
    (path,) = write_board([make_card("team_a")], outside)
    (real,) = write_board([make_card("team_b")], results)
    (real.parent / "link.json").symlink_to(path)
    (results / "sample" / "team_a").symlink_to(path.parent)

    snapshot = CardIndex(results).refresh()

    assert [e.card.submission.team for e in snapshot.entries["sample"]] == ["team_b"]
    assert [one.reason for one in snapshot.unreadable] == ["is a link, not a file"]


def test_a_huge_file_is_not_read(tmp_path, reads):
    folder = tmp_path / "sample" / "team_a"
    folder.mkdir(parents=True)
    with (folder / "huge.json").open("wb") as file:
        file.truncate(MAX_CARD_BYTES + 1)

    (unreadable,) = CardIndex(tmp_path).refresh().unreadable

    assert "larger than" in unreadable.reason
    assert reads == []


def test_other_files_are_left_alone(tmp_path, reads):
    (path,) = write_board([make_card("team_a")], tmp_path)
    (path.parent / ".hidden.json").write_text("{")
    (path.parent / "notes.txt").write_text("x")
    (path.parent / "deeper").mkdir()
    (path.parent / "deeper" / "card.json").write_text("{")
    (tmp_path / "stray.json").write_text("{")

    snapshot = CardIndex(tmp_path).refresh()

    assert snapshot.unreadable == ()
    assert reads == [path.name]


def test_the_summary_of_a_challenge_is_read_and_checked(tmp_path):
    folder = tmp_path / "sample"
    folder.mkdir()
    (folder / "summary.json").write_text(make_summary().model_dump_json())
    assert CardIndex(tmp_path).refresh().summaries["sample"].title.startswith("Embedded")

    other = tmp_path / "other"
    other.mkdir()
    (other / "summary.json").write_text(make_summary().model_dump_json())
    (unreadable,) = CardIndex(tmp_path).refresh().unreadable
    assert "says it is of sample but lies in other" in unreadable.reason


def test_answers_to_a_box_are_read_and_are_no_card(tmp_path):
    path = write_opened(tmp_path, make_opened())
    write_board([make_card("opened")], tmp_path)
    index = CardIndex(tmp_path)
    found = index.refresh()
    assert found.answers == {"sample": (make_opened(),)}
    assert [entry.card.submission.team for entry in found.entries["sample"]] == ["opened"]
    assert not found.unreadable
    elsewhere = tmp_path / "another" / "opened"
    elsewhere.mkdir(parents=True)
    path.rename(elsewhere / path.name)
    (refused,) = index.refresh().unreadable
    assert "says it is of sample but lies in another" in refused.reason


def test_artefacts_are_those_that_lie_there_and_that_the_card_names(tmp_path):
    artefacts = (
        Artefact(name="top.v", sha256="0" * 64, n_bytes=4),
        Artefact(name="../../secret.txt", sha256="0" * 64, n_bytes=6),
    )
    firmware = make_firmware().model_copy(update={"artefacts": artefacts})
    (path,) = write_board([make_card("team_a", firmware=firmware)], tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    inside = path.with_suffix("")
    inside.mkdir()
    (inside / "top.v").write_text("mod;")
    (inside / "unnamed.v").write_text("mod;")
    index = CardIndex(tmp_path)
    (entry,) = index.refresh().entries["sample"]

    assert [found.name for found in index.artefacts_of("sample", entry)] == ["top.v"]


def test_five_hundred_cards_are_looked_through_in_a_small_part_of_the_time_of_reading_them(
    tmp_path,
):
    folder = tmp_path / "sample"
    (path,) = write_board([make_card("team_a")], tmp_path)
    content = path.read_bytes()
    for i in range(500):
        team = folder / f"team_{i:03d}"
        team.mkdir()
        (team / "x.json").write_bytes(content.replace(b'"team_a"', f'"team_{i:03d}"'.encode()))
    index = CardIndex(tmp_path)
    reading_s = processor_s(index.refresh)

    looking_s = processor_s(index.refresh, n_times=3)

    # An 80th of it: 15 ms of 1.2 s.
    assert looking_s < reading_s / 10


def test_reports_after_the_trigger_are_found_beside_cards_of_a_team_of_the_folders_name(tmp_path):
    write_board([make_card("trigger")], tmp_path)
    found, quiet = make_cluster_report(), make_watch_report(is_quiet=True)
    write_report(tmp_path, "b_found", found)
    path = write_report(tmp_path, "a_quiet", quiet)
    index = CardIndex(tmp_path)

    snapshot = index.refresh()

    assert [(one.name, one.report) for one in snapshot.reports["sample"]] == [
        ("a_quiet", quiet),
        ("b_found", found),
    ]
    assert [entry.card.submission.team for entry in snapshot.entries["sample"]] == ["trigger"]
    path.write_text(quiet.model_copy(update={"challenge": "other"}).model_dump_json())
    (one,) = [each for each in index.refresh().unreadable if "a_quiet" in each.name]
    assert "lies in sample" in one.reason


def test_a_report_that_no_page_could_draw_is_left_out_with_the_reason(tmp_path):
    found, watched = make_cluster_report(), make_watch_report()
    (spectrum,) = found.spectra
    spectra = (spectrum.model_copy(update={"counts": {"observed": (1,)}}),)
    alarms = (watched.alarms[0].model_copy(update={"map": (1.0,) * 16 * 4_000}),)
    write_report(tmp_path, "spectrum", found.model_copy(update={"spectra": spectra}))
    write_report(tmp_path, "map", watched.model_copy(update={"alarms": alarms}))
    write_report(tmp_path, "whole", found)

    snapshot = CardIndex(tmp_path).refresh()

    assert [one.name for one in snapshot.reports["sample"]] == ["whole"]
    reasons = " ".join(one.reason for one in snapshot.unreadable)
    assert "the counts of a spectrum do not fit its bins" in reasons
    assert "at most 1024 items" in reasons


@pytest.mark.parametrize("source", ["sample:h0", "sample:h0@test[:200]", "sample:h0[10:]"])
def test_what_names_a_hidden_signal_beside_the_cards_is_shown_to_the_organiser_alone(
    tmp_path, source
):
    firmware = firmware_of_program()
    card = make_card(challenge=make_challenge(hidden=("h0",)), firmware=firmware)
    write_board([card], tmp_path)
    reach = make_reach()
    write_reach(
        tmp_path, make_reach(signals={"lq": reach.signals["lq"], "h0": reach.signals["lq"]})
    )
    write_report(tmp_path, "injected", make_cluster_report(source=source))
    write_report(tmp_path, "found", make_cluster_report())

    public = CardIndex(tmp_path).refresh()
    private = CardIndex(tmp_path, is_private=True).refresh()

    for snapshot, names, signals in (
        (public, ["found"], ["lq"]),
        (private, ["found", "injected"], ["h0", "lq"]),
    ):
        assert [one.name for one in snapshot.reports["sample"]] == names
        (entry,) = snapshot.entries["sample"]
        assert sorted(entry.reach.signals) == signals
        assert not snapshot.unreadable


def test_reports_of_a_challenge_that_is_closed_are_not_shown(tmp_path):
    write_report(tmp_path / "results", "found", make_cluster_report())
    closed = make_challenge().model_copy(update={"private": "until_open"})

    public = Boards(tmp_path / "results", [closed]).refresh()
    private = Boards(tmp_path / "results", [closed], is_private=True).refresh()

    assert public.reports == {}
    assert list(private.reports) == ["sample"]


@pytest.mark.parametrize("name", ["../x", "", "Two Words", "a/b"])
def test_a_report_is_published_under_a_name_of_a_file_alone(tmp_path, name):
    with pytest.raises(UsageError, match="no name of a report"):
        write_report(tmp_path / "results", name, make_watch_report())
    assert not list(tmp_path.rglob("*.json"))
