"""Where the events of a file come from: written into the file and beside it."""

from __future__ import annotations

import platform
from pathlib import Path

from pydantic import Field

import harness
from harness.challenge import Name, Value
from harness.data.hdf5 import opened
from harness.files import package_version, parse_json
from harness.simulate.generator import COMMON
from harness.simulate.plan import SimulationPlan

# Root attribute of the HDF5 file; the datasets are those of ADC2021 and nothing else.
ATTRIBUTE = "harness_provenance"
_PACKAGES = ("pythia8mc", "fastjet", "awkward", "numpy", "h5py")


class ProcessYield(Value):
    """What was generated of one process.

    Attributes
    ----------
    efficiency : float
        Accepted over generated events, after the vetoes on the hard process.
    cross_section_mb : float
        Of the accepted events, at leading order [mb]; the mix does not follow from it.
    """

    n_events: int = Field(ge=0)
    n_generated: int = Field(ge=0)
    efficiency: float = Field(ge=0)
    cross_section_mb: float = Field(ge=0)


class Provenance(Value):
    """How a file was made; equal for equal files, so it holds no time, host or number of jobs."""

    made_by: str
    plan: SimulationPlan
    plan_digest: str
    common_settings: tuple[str, ...]
    library_checksums: dict[str, str]
    yields: dict[Name, ProcessYield]
    versions: dict[str, str]


def make_provenance(
    plan: SimulationPlan, yields: dict[str, ProcessYield], library_checksums: dict[str, str]
) -> Provenance:
    """Collect what is known about a run."""
    return Provenance(
        made_by=f"harness simulate {harness.__version__}",
        plan=plan,
        plan_digest=plan.digest,
        common_settings=COMMON,
        library_checksums=library_checksums,
        yields=yields,
        versions={
            "python": platform.python_version(),
            "machine": platform.machine(),
            **{name: found for name in _PACKAGES if (found := package_version(name))},
        },
    )


def read_provenance(path: Path) -> Provenance | None:
    """Read the provenance in an HDF5 file; None if it has none.

    Raises
    ------
    DataError
        The file cannot be read, another program writes it, or its provenance is not readable.
    """
    with opened(path) as file:
        text = file.attrs.get(ATTRIBUTE)
    if text is None:
        return None
    return parse_json(
        text,
        Provenance,
        source=f"{path}, attribute {ATTRIBUTE}",
        fix="make the file again with this version of the harness",
    )
