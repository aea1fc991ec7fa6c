"""Print the coverage table of docs/statistics.md: toys with a known TPR, in Markdown.

python -m tools.coverage_table              the table, a quarter of an hour
python -m tools.coverage_table --toys 200   the same, rougher
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.toys import FULL_GRID, Coverage, measure_coverage

SEED = 2021
COLUMNS = (
    "k",
    "remainder",
    "slope",
    "expected passing",
    "quoted interval",
    "of which bootstrap",
    "conservative alone",
    "bootstrap alone",
    "Clopper-Pearson alone",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every point of the grid and print its line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--toys", type=int, default=2000, help="toys of a point; variants: half")
    n_toys = parser.parse_args(arguments).toys
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---:|" * len(COLUMNS))
    for setting in FULL_GRID:
        is_variant = setting.remainder > 0.0 or setting.slope != 1.0
        toys = n_toys // 2 if is_variant else n_toys
        print(_line(measure_coverage(setting, n_toys=toys, seed=SEED)), flush=True)
    return 0


def _line(coverage: Coverage) -> str:
    setting = coverage.setting
    shares = (
        coverage.chosen,
        coverage.bootstrap_share,
        coverage.conservative,
        coverage.bootstrap,
        coverage.clopper_pearson,
    )
    cells = [
        f"{setting.n_allowed}",
        f"{setting.remainder:g}",
        f"{setting.slope:g}",
        f"{setting.n_expected:g}",
        *(f"{100 * share:.1f} %" for share in shares),
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
