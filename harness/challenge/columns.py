"""Which columns of a table hold what of an event, where each row is one event."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.challenge.files import FileName
from harness.challenge.layout import MAX_CONSTITUENTS
from harness.challenge.values import Value

# The name of a column, or its place among all columns, from 0.
TableColumn = (
    Annotated[int, Field(ge=0, lt=2**20)] | Annotated[str, Field(min_length=1, max_length=64)]
)
Coordinates = Literal["pt_eta_phi", "e_px_py_pz"]
_WIDTHS: dict[Coordinates, int] = {"pt_eta_phi": 3, "e_px_py_pz": 4}


class TableColumns(Value):
    """The columns of tables that pandas wrote to HDF5, whose events are constituents.

    Attributes
    ----------
    coordinates : str
        What the columns of one constituent are: ``pt_eta_phi`` [GeV, -, rad], or ``e_px_py_pz``
        [GeV], of which pT, eta and phi are computed.
    n_constituents : int
        Constituents of an event in the files; the layout may keep fewer of them, the first ones.
    first : int or str
        The column with the first coordinate of the first constituent; the others follow it.
    label : int, str or None
        The column that says the process of each event. A file without it has no `label` in the
        manifest.
    widths : tuple of int
        Numbers of columns that a file may have.
    sort_by_pt : bool
        Whether constituents are brought into the order of falling pT. Otherwise a file with other
        events is refused.
    features : mapping of file to file
        Published features of the two leading jets of each event of a file, in another table with
        the same rows; `harness data check` compares them with what is computed from constituents.
    """

    coordinates: Coordinates = "pt_eta_phi"
    n_constituents: int = Field(ge=1, le=MAX_CONSTITUENTS)
    first: TableColumn = 0
    label: TableColumn | None = None
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    sort_by_pt: bool = False
    features: dict[FileName, FileName] = Field(
        default_factory=dict, exclude_if=lambda files: not files
    )

    @model_validator(mode="after")
    def _fits(self) -> TableColumns:
        if min(self.widths) < self.n_values:
            raise ValueError(f"widths: constituents alone take {self.n_values:,} columns")
        return self

    @property
    def n_coordinates(self) -> int:
        """Columns of one constituent."""
        return _WIDTHS[self.coordinates]

    @property
    def n_values(self) -> int:
        """Columns of all constituents."""
        return self.n_constituents * self.n_coordinates
