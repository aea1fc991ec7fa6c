"""Parton densities of one flavour: the proton that gives a heavy quark to the hard process.

One in dozens of the hard scatterings of quarks and gluons takes a b quark out of a proton. Pythia
cannot select by flavour, but it can use different densities for the hard process and the showers:
for one of the two beams, those of the proton with all flavours but one set to zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import EnvironmentFaultError
from harness.sandbox.scratch import scratch_folder

if TYPE_CHECKING:
    from pythia8mc import Pythia

# The default of Pythia 8.3, `PDF:pSet = 13`: NNPDF2.3 QCD+QED LO, alpha_s = 0.130.
DEFAULT_SET = "13"
_DEFAULT_FILE = "NNPDF23_lo_as_0130_qed_0000.dat"


@contextmanager
def beam_of_flavour(pythia: Pythia, code: int) -> Iterator[None]:
    """While Pythia starts, give it only one flavour of quarks in beam A for hard processes.

    Parameters
    ----------
    code : int
        PDG code of the quark.

    Raises
    ------
    EnvironmentFaultError
        The folder of temporary files is full.

    References
    ----------
    A. Buckley et al. (LHAPDF6, the format), arXiv:1412.7420.
    """
    data = Path(pythia.settings.word("xmlPath")).parent / "pdfdata" / _DEFAULT_FILE
    with scratch_folder() as folder:
        path = folder / "densities.dat"
        _write(path, keep_flavour(data.read_text("ascii"), code))
        pythia.settings.flag("PDF:useHard", True)
        pythia.settings.word("PDF:pHardSet", f"LHAGrid1:{path}")
        pythia.settings.word("PDF:pHardSetB", DEFAULT_SET)
        yield


def _write(path: Path, grid: str) -> None:
    try:
        path.write_text(grid, "ascii")
    except OSError as error:
        raise EnvironmentFaultError(
            f"cannot be written: {error.strerror}",
            where=str(path),
            expected="room for 1 MB of temporary files",
            fix="make room or set TMPDIR, and run the command again: it continues",
        ) from error


def keep_flavour(grid: str, code: int) -> str:
    """Set the densities of all other flavours to zero.

    Parameters
    ----------
    grid : str
        A file in the format lhagrid1 with one grid: header, x, Q, PDG codes, then one line for each
        x and Q.
    """
    header, body, _ = grid.split("---\n")
    x, q, codes, *rows = body.splitlines()
    kept = [float(abs(int(word)) == code) for word in codes.split()]
    lines = (
        " ".join(word if keep else "0" for word, keep in zip(row.split(), kept, strict=True))
        for row in rows
    )
    return "---\n".join((header, "\n".join((x, q, codes, *lines)) + "\n", ""))
