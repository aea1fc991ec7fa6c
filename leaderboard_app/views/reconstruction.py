"""What an autoencoder makes of images: input beside reconstruction."""

from __future__ import annotations

from harness.card.records import ScoreCard
from harness.card.text import visible
from leaderboard_app import charts
from leaderboard_app.blocks import Block, Section
from leaderboard_app.views.common import BACKGROUND, palette_of, process_titles


def reconstruction_section(card: ScoreCard) -> Section:
    """Lay out input and reconstruction of some images; empty where the entry gives none."""
    found = card.reconstruction
    if found is None:
        return Section(title="")
    titles = process_titles(card)
    # A background process has no title of its own on a card.
    named = {name: titles.get(name, titles.get(BACKGROUND, visible(name))) for name in found.sums}
    palette = palette_of(card, background=True)
    blocks: list[Block] = [
        charts.sums_of_images({named[name]: one for name, one in found.sums.items()}, palette)
    ]
    for one in found.examples:
        title = named.get(one.process, visible(one.process))
        panels = [(f"{title}: image", one.image), (f"{title}: reconstruction", one.again)]
        blocks.append(charts.image_display(panels))
    return Section(
        title="Reconstruction",
        lead="By the layer `reconstruction` of the network that is scored, below each image. "
        "Background is of the training part. Of a reconstruction the fullest squares are shown.",
        columns=2,
        blocks=tuple(blocks),
    )
