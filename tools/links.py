"""Follow the links of the documentation; print the broken ones.

python -m tools.links            files, headings and web addresses
python -m tools.links --offline  files and headings alone
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<(https?://[^>\s]+)>")
_TIMEOUT_S = 20.0
# Answers of servers that know the page and do not serve robots.
_RELUCTANT = frozenset({401, 403, 405, 406, 429, 999})


def pages() -> list[Path]:
    """Return the pages that are read: those at the top and below docs/."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def links(page: Path) -> Iterator[str]:
    """Return the targets of a page's links."""
    for match in _LINK.finditer(page.read_text(encoding="utf-8")):
        yield match[1] or match[2]


def local_fault(page: Path, target: str) -> str:
    """Say what is wrong with a link to a file or a heading; empty if nothing is."""
    name, _, heading = target.partition("#")
    path = page if not name else (page.parent / name).resolve()
    if not path.exists():
        return "no such file"
    if heading and path.suffix == ".md" and heading not in _headings(path):
        return "no such heading"
    return ""


def _headings(path: Path) -> set[str]:
    found = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def web_fault(address: str) -> str:
    """Say what is wrong with a web address; empty if nothing is."""
    try:
        answer = requests.get(address, timeout=_TIMEOUT_S, stream=True)
    except requests.RequestException as error:
        return type(error).__name__
    return "" if answer.ok or answer.status_code in _RELUCTANT else str(answer.status_code)


def main(arguments: list[str] | None = None) -> int:
    """Print the broken links; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--offline", action="store_true", help="leave web addresses out")
    is_offline = parser.parse_args(arguments).offline
    all_links = [(page, target) for page in pages() for target in links(page)]
    faults = [
        (page, target, local_fault(page, target))
        for page, target in all_links
        if "://" not in target and not target.startswith("mailto:")
    ]
    if not is_offline:
        web = sorted({target for _, target in all_links if "://" in target})
        with ThreadPoolExecutor(max_workers=8) as pool:
            answers = dict(zip(web, pool.map(web_fault, web), strict=True))
        faults += [
            (page, target, answers[target]) for page, target in all_links if target in answers
        ]
    broken = [(page, target, fault) for page, target, fault in faults if fault]
    for page, target, fault in broken:
        print(f"{page.relative_to(ROOT)}: {target}: {fault}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
