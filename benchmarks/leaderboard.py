"""Leaderboard with 500 made-up cards: first page, filter, 30 visitors, memory, static site.

    python benchmarks/leaderboard.py [--quick] [--json FILE]

The cards are drawn, not scored: 500 teams with one card each, the largest board that they can
make, and 60 teams with eight or nine each, the usual one. They lie in a temporary folder. Pages
are asked for over Streamlit's own protocol; the filter is typed in a real Chromium where there is
one.
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
USUAL_TEAMS = 60
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
    return publish(report(found, n_cards), options)


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
    filter_s: float | None
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
        typed = filter_in_browser(url)
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
        filter_s=typed,
        visitors_s=max(answer.wall_s for answer in everyone),
        submissions_s=max(answer.wall_s for answer in submissions),
        memory_mb=memory_mb,
        export_s=exported.best_s,
        site_mb=sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6,
    )


@contextmanager
def running(results: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run the leaderboard and wait until it listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        serve.command(port=port, address="127.0.0.1"),
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


def filter_in_browser(url: str) -> float | None:
    """Type into the table's filter; return the seconds until the table shows the one match."""
    path = shutil.which("chromium")
    if path is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto(f"{url}?challenge=sample")
        page.locator(".board tr.ranked").first.wait_for(timeout=60_000)
        name = page.locator(".board tr.ranked .team").last.text_content() or ""
        # The table is drawn within the event of the key: the next frame shows it.
        taken: float = page.locator(".board input[type=search]").evaluate(
            """(box, name) => new Promise((done) => {
                const started = performance.now();
                box.value = name;
                box.dispatchEvent(new Event("input", { bubbles: true }));
                requestAnimationFrame(() => setTimeout(() =>
                    done((performance.now() - started) / 1000)));
            })""",
            name,
        )
        browser.close()
    return taken


def report(found: dict[str, Found], n_cards: int) -> Report:
    """Put the figures into a table with the goals that they are held against."""
    names = {
        "index_s": "read all cards",
        "look_s": "look for new cards",
        "rank_s": "rank with intervals",
        "first_s": "first page, cold",
        "again_s": "same page, warm",
        "point_s": "another working point",
        "filter_s": "type into the filter",
        "visitors_s": f"{N_VISITORS} visitors at once, ranking",
        "submissions_s": f"{N_VISITORS} visitors at once, submissions",
        "memory_mb": "memory of the server",
        "export_s": "write the static site",
        "site_mb": "size of the static site",
    }
    rows: list[tuple[Cell, ...]] = []
    for key, told in names.items():
        values = [getattr(one, key) for one in found.values()]
        unit = "MB" if key.endswith("_mb") else "s"
        rows.append((told, *("-" if value is None else float(value) for value in values), unit))
    worst = {key: max(getattr(one, key) or 0.0 for one in found.values()) for key in names}
    return Report(
        name="leaderboard",
        title=f"Leaderboard with {n_cards} cards",
        columns=("", *found, ""),
        rows=tuple(rows),
        goals=(
            Goal(name="first page", value=worst["first_s"], relation="<=", limit=2.0, unit=" s"),
            Goal(name="filter", value=worst["filter_s"], relation="<=", limit=0.5, unit=" s"),
            Goal(
                name="another working point",
                value=worst["point_s"],
                relation="<=",
                limit=0.5,
                unit=" s",
            ),
            Goal(
                name=f"{N_VISITORS} visitors",
                value=worst["visitors_s"],
                relation="<=",
                limit=2.0,
                unit=" s",
            ),
            Goal(name="memory", value=worst["memory_mb"], relation="<=", limit=500, unit=" MB"),
            Goal(name="static site", value=worst["site_mb"], relation="<=", limit=10, unit=" MB"),
        ),
        conditions={"cards": n_cards, "processors": psutil.cpu_count() or 1},
    )


if __name__ == "__main__":
    sys.exit(main())
