"""Black boxes that were opened: what each team answered, and what was true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from harness.board.answers import (
    ANSWER_HEADER,
    CLUSTER_HEADER,
    OpenedBox,
    answer_row,
    cluster_rows,
    contents_text,
    remarks_of,
)
from harness.board.rows import synthetic_note
from leaderboard_app.blocks import Block, Facts, Note, Section, Table

TITLE = "Black boxes"
CLOSED = (
    "No black box was opened yet. Until its organiser opens it, neither its content nor any answer "
    "is shown."
)
OPEN_COMMAND = "harness blackbox open CLAIM... --key KEY"
# What the columns of figures mean.
READING = (
    "Each answer is compared with the signal that has the most events in the box. The pull is "
    "(claimed - true) / uncertainty. The score is half of its square plus the logarithm of "
    "uncertainty / true, smaller is better: an uncertainty that is too small or too large loses. "
    "Right answers come first, then those with the better score of the mass, then of the number."
)


def answer_sections(answers: Mapping[str, Sequence[OpenedBox]]) -> list[Section]:
    """Lay out all boxes that were opened, the newest first; or say that none was."""
    boxes = sorted(chain.from_iterable(answers.values()), key=lambda one: one.opened, reverse=True)
    if not boxes:
        return [Section(title="", blocks=(Note(text=CLOSED),))]
    return [Section(title="", lead=READING), *(_box_section(one) for one in boxes)]


def _box_section(box: OpenedBox) -> Section:
    blocks: list[Block] = []
    if box.synthetic:
        blocks.append(Note(text=synthetic_note(is_of_collisions=True), tone="warn"))
    facts = [
        ("Opened", str(box.opened)),
        ("Events", f"{box.n_events:,}"),
        ("In the box", contents_text(box)),
    ]
    if box.luminosity_fb is not None:
        facts.append(("Luminosity", f"{box.luminosity_fb:,g} / fb"))
    facts.append(("Checksum", box.box_checksum))
    blocks.append(Facts(rows=facts))
    if box.claims:
        blocks.append(
            Table(
                columns=(*ANSWER_HEADER, "method"),
                rows=[(*answer_row(one), one.method) for one in box.claims],
                caption="Answers, scored by the key of the box",
                words=frozenset({1, len(ANSWER_HEADER)}),
            )
        )
    else:
        blocks.append(Note(text="Nobody answered."))
    if clusters := cluster_rows(box):
        blocks.append(
            Table(
                columns=CLUSTER_HEADER,
                rows=clusters,
                caption="Clusters that were claimed to be the new physics: share of signal, with "
                "95 % intervals, and how unlikely it is by chance",
                words=frozenset({1}),
            )
        )
    blocks += [Note(text=one) for one in remarks_of(box)]
    return Section(title=f"{box.challenge_title}, {box.box_name}", blocks=tuple(blocks))
