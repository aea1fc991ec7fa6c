"""Gluinos that decay to three quarks, all other superpartners out of reach: a file for Pythia."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.sandbox.scratch import scratch_folder

if TYPE_CHECKING:
    from pythia8mc import Pythia

_GLUINO = 1000021
_OUT_OF_REACH_GEV = 10_000.0
_OTHERS = (
    *range(1000001, 1000007), *range(2000001, 2000007), *range(1000011, 1000017),
    2000011, 2000013, 2000015, 1000022, 1000023, 1000024, 1000025, 1000035, 1000037,
)  # fmt: skip
_MIXINGS = {"NMIX": 4, "UMIX": 2, "VMIX": 2, "STOPMIX": 2, "SBOTMIX": 2, "STAUMIX": 2}


@contextmanager
def gluino_spectrum(pythia: Pythia, mass_gev: float) -> Iterator[None]:
    """While Pythia starts, give it gluinos that decay to u d s by R-parity violation.

    References
    ----------
    P. Skands et al. (SUSY Les Houches Accord, the format), hep-ph/0311123.
    """
    with scratch_folder() as folder:
        path = folder / "gluino.slha"
        path.write_text(spectrum_text(mass_gev), "ascii")
        pythia.settings.word("SLHA:file", str(path))
        pythia.settings.mode("SLHA:verbose", 0)
        yield


def spectrum_text(mass_gev: float) -> str:
    """Write the spectrum: masses, no mixing, one decay."""
    lines = ["BLOCK MODSEL", " 1 0", "BLOCK MASS", f" {_GLUINO} {mass_gev:g}", " 25 125."]
    lines += [f" {code} {_OUT_OF_REACH_GEV:g}" for code in _OTHERS]
    for name, size in _MIXINGS.items():
        lines += [f"BLOCK {name}", *(f" {one} {one} 1." for one in range(1, size + 1))]
    lines += ["BLOCK ALPHA", " 0.1", "BLOCK HMIX", " 1 100.", " 2 10."]
    lines += [f"DECAY {_GLUINO} 1.0", " 1.0 3 2 1 3"]
    return "\n".join(lines) + "\n"
