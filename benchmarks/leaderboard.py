"""Leaderboard with made-up cards: what a visitor waits for, 30 visitors, memory, static site.

    python benchmarks/leaderboard.py [--quick] [--json FILE]

The cards are drawn, not scored: 500 teams with one card each, the largest board that they can
make, and 60 teams with eight or nine each, the usual one. They lie in a temporary folder. Pages
are asked for over Streamlit's own protocol. What a visitor waits for is measured in a real
Chromium, where there is one, with 500 cards and with 30: the time to the rows of the ranking beside
that of an empty Streamlit page of the same run, how much moves, and how long the worst cases of
sorting, filtering and another working point take to be drawn.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from _in_browser import Seen, chromium, page_bytes, see
from _table import Cell, Goal, Report, publish, read_options, timed

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.board.boards import Boards
from harness.board.contest import Rulebook
from harness.board.index import CardIndex
from harness.board.order import rank
from leaderboard_app import serve, static_site
from leaderboard_app.settings import Settings
from tests.cards import make_board, write_board
from tests.visitor import visit_at_once

N_CARDS = 500
N_VISITORS = 30
N_FEW = 30
USUAL_TEAMS = 60
EMPTY_PAGE = "import streamlit as st\nst.write('empty')\n"
HOME = ("challenge=sample", "")


def main() -> int:
    """Run the benchmark."""
    options = read_options(__doc__.splitlines()[0])
    n_cards = 50 if options.quick else N_CARDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        boards = {
            "one card a team": write(folder / "wide", n_cards, n_cards),
            "with history": write(folder / "usual", n_cards, max(n_cards * USUAL_TEAMS // 500, 2)),
        }
        found = {name: measure(results, folder / "out") for name, results in boards.items()}
        few = write(folder / "few", min(N_FEW, n_cards), N_FEW)
        seen, entry_bytes = look(few, boards["one card a team"], folder / "site")
    return publish(report(found, seen, entry_bytes, n_cards), options)


def write(results: Path, n_cards: int, n_teams: int) -> Path:
    """Draw cards and write them."""
    write_board(make_board(n_cards, n_teams=n_teams), results)
    return results


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Figures of one board: seconds, MB."""

    index_s: float
    look_s: float
    rank_s: float
    first_s: float
    again_s: float
    point_s: float
    visitors_s: float
    submissions_s: float
    memory_mb: float
    export_s: float
    site_mb: float


def measure(results: Path, out: Path) -> Found:
    """Measure one board."""
    index = CardIndex(results)
    read = timed(index.refresh, repeats=1)
    look = timed(index.refresh)
    entries = read.result.entries["sample"]
    contest = Rulebook().contest_of(entries)
    ranked = timed(lambda: rank(entries, contest), repeats=1)
    teams = [item.entry.card.submission.team for item in ranked.result.listed]
    with running(results) as (url, process):
        first, again = (visit_at_once(url, [HOME])[0] for _ in range(2))
        point = visit_at_once(url, [("challenge=sample&fpr=1e-3", "")])[0]
        everyone = visit_at_once(url, [HOME] * N_VISITORS)
        asked = [
            (f"challenge=sample&team={teams[i % len(teams)]}", "submission")
            for i in range(N_VISITORS)
        ]
        submissions = visit_at_once(url, asked)
        memory_mb = process.memory_info().rss / 1e6
    shutil.rmtree(out, ignore_errors=True)
    exported = timed(lambda: static_site.export_site(Boards(results), out), repeats=1)
    answers = [first, again, point, *everyone, *submissions]
    if any(answer.has_failed for answer in answers):
        raise RuntimeError("a page of the leaderboard failed")
    return Found(
        index_s=read.best_s,
        look_s=look.best_s,
        rank_s=ranked.best_s,
        first_s=first.wall_s,
        again_s=again.wall_s,
        point_s=point.wall_s,
        visitors_s=max(answer.wall_s for answer in everyone),
        submissions_s=max(answer.wall_s for answer in submissions),
        memory_mb=memory_mb,
        export_s=exported.best_s,
        site_mb=sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6,
    )


def look(few: Path, many: Path, out: Path) -> tuple[dict[str, Seen], tuple[int, int] | None]:
    """See boards and a page of the static site in a Chromium; nothing where there is none."""
    static_site.export_site(Boards(few), out)
    entry = next((out / "sample" / "entries").glob("*.html"))
    script = out / "empty.py"
    script.write_text(EMPTY_PAGE, encoding="utf-8")
    with chromium() as browser:
        if browser is None:
            return {}, None
        with running(few, script) as (empty_url, _):
            seen = {}
            for name, results in ((f"{N_FEW} cards", few), ("all cards", many)):
                with running(results) as (url, _):
                    seen[name] = see(browser, url, empty_url)
        return seen, page_bytes(browser, entry)


@contextmanager
def running(results: Path, script: Path | None = None) -> Iterator[tuple[str, psutil.Process]]:
    """Run the leaderboard, or a `script` of Streamlit like it, and wait until it listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = serve.command(port=port, address="127.0.0.1")
    if script is not None:
        command = [sys.executable, "-m", "streamlit", "run", str(script), *command[3:]]
    process = subprocess.Popen(
        command,
        env=serve.environment(Settings(results=str(results))),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}/", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the leaderboard answers."""
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError("the leaderboard ended before it listened")
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the leaderboard did not listen within a minute")


def report(
    found: dict[str, Found],
    seen: dict[str, Seen],
    entry_bytes: tuple[int, int] | None,
    n_cards: int,
) -> Report:
    """Put the figures into a table with the goals that they are held against."""
    names = {
        "index_s": "read all cards",
        "look_s": "look for new cards",
        "rank_s": "rank with intervals",
        "first_s": "first page, cold",
        "again_s": "same page, warm",
        "point_s": "another working point",
        "visitors_s": f"{N_VISITORS} visitors at once, ranking",
        "submissions_s": f"{N_VISITORS} visitors at once, submissions",
        "memory_mb": "memory of the server",
        "export_s": "write the static site",
        "site_mb": "size of the static site",
    }
    rows: list[tuple[Cell, ...]] = []
    for key, what in names.items():
        values = [getattr(one, key) for one in found.values()]
        rows.append((what, *map(float, values), "MB" if key.endswith("_mb") else "s"))
    worst = {key: max(getattr(one, key) for one in found.values()) for key in names}
    goals = [
        _at_most("first page", worst["first_s"], 2.0, " s"),
        _at_most("another working point", worst["point_s"], 0.5, " s"),
        _at_most(f"{N_VISITORS} visitors", worst["visitors_s"], 2.0, " s"),
        _at_most("memory", worst["memory_mb"], 500, " MB"),
        _at_most("static site", worst["site_mb"], 10, " MB"),
    ]
    conditions: dict[str, Cell] = {"cards": n_cards, "processors": psutil.cpu_count() or 1}
    # Within so many seconds, or so many times an empty page of the same run.
    for (name, one), factor in zip(seen.items(), (1.5, 2.0), strict=False):
        conditions |= {f"{name}: empty page": f"{one.empty_s:.2f} s"}
        goals += [
            _at_most(f"content, {name}", one.content_s, max(factor, factor * one.empty_s), " s"),
            _at_most(f"layout shift, {name}", one.shift, 0.1),
            _at_most(f"a letter in the filter, {name}", one.typed_s, 0.2, " s"),
            _at_most(f"sort, {name}", one.sorted_s, 0.2, " s"),
            _at_most(f"another working point in the browser, {name}", one.point_s, 0.5, " s"),
        ]
    if entry_bytes is not None:
        opened, whole = (n / 1e3 for n in entry_bytes)
        conditions |= {"entry with all charts": f"{whole:.0f} kB"}
        goals.append(_at_most("static page of an entry before a chart is seen", opened, 300, " kB"))
    return Report(
        name="leaderboard",
        title=f"Leaderboard with {n_cards} cards",
        columns=("", *found, ""),
        rows=tuple(rows),
        goals=tuple(goals),
        conditions=conditions,
    )


def _at_most(name: str, value: float, limit: float, unit: str = "") -> Goal:
    return Goal(name=name, value=value, relation="<=", limit=limit, unit=unit)


if __name__ == "__main__":
    sys.exit(main())
