"""Images, and what an autoencoder makes of them."""

from __future__ import annotations

from pydantic import Field, model_validator

from harness.card.figures import Count
from harness.challenge import Name, Value


class ImageSquares(Value):
    """One channel of an image, summed over squares: those that are not zero.

    Attributes
    ----------
    row, column : tuple of int
        Of each square.
    value : tuple of float
        Sum of its pixels.
    """

    channel: Name
    row: tuple[Count, ...]
    column: tuple[Count, ...]
    value: tuple[float, ...]

    @model_validator(mode="after")
    def _has_as_many(self) -> ImageSquares:
        if not len(self.row) == len(self.column) == len(self.value):
            raise ValueError("rows, columns and values are not equally many")
        return self


class ExampleImage(Value):
    """An image for the event display.

    Attributes
    ----------
    side : int
        Pixels along a square.
    n_rows, n_columns : int
        Squares.
    """

    side: int = Field(ge=1)
    n_rows: int = Field(ge=1)
    n_columns: int = Field(ge=1)
    channels: tuple[ImageSquares, ...]


class ReconstructedImage(Value):
    """An image, and what an autoencoder makes of it."""

    process: Name
    image: ExampleImage
    again: ExampleImage


class Reconstruction(Value):
    """What an autoencoder makes of images.

    Attributes
    ----------
    sums : mapping of process to tuple of pairs
        Sum over the image and over its reconstruction, of some events.
    """

    sums: dict[Name, tuple[tuple[float, float], ...]]
    examples: tuple[ReconstructedImage, ...]
