"""What every output of a board shows: terminal, CSV, JSON, the files and pages of its site."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import zlib
from pathlib import Path

from click.testing import CliRunner

from harness.cli import cli
from harness.errors import HarnessError

Ranks = dict[str, int | None]


def harness(*arguments: str | Path) -> str:
    """Run the command line in this process; return what it prints."""
    done = CliRunner().invoke(
        cli, [str(argument) for argument in arguments], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments: str | Path) -> HarnessError:
    """Run the command line, which refuses; return why."""
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert isinstance(done.exception, HarnessError), done.output
    return done.exception


def printed(results: Path, challenge: str, *arguments: str | Path) -> dict[str, Ranks]:
    """The ranks in each form of `harness leaderboard` and in the site that it writes."""
    asked = ("leaderboard", "--results", results, "--challenge", challenge, *arguments)
    site = results.parent / "exported"
    harness(*asked, "--export", site)
    found = {f"exported {name}": ranks for name, ranks in site_ranks(site, challenge).items()}
    return found | {
        "terminal": terminal_ranks(harness(*asked)),
        "csv": csv_ranks(harness(*asked, "--csv")),
        "json": json_ranks(harness(*asked, "--json")),
    }


def site_ranks(site: Path, challenge: str) -> dict[str, Ranks]:
    """The ranks in the files and pages of a static site."""
    folder = site / challenge
    listed = json_ranks((folder / "board.json").read_text(encoding="utf-8"))
    pages = [(team, folder / "entries" / f"{team}.html") for team in listed]
    return {
        "board.json": listed,
        "board.csv": csv_ranks((folder / "board.csv").read_text(encoding="utf-8")),
        "table": table_ranks((folder / "model.js").read_text(encoding="utf-8")),
        "entries": {team: entry_rank(page.read_text(encoding="utf-8")) for team, page in pages},
    }


def terminal_ranks(text: str) -> Ranks:
    rows = re.findall(r"^ *(?:(\d+) \(\d+–\d+\)|–) +(\w+) ", text, re.MULTILINE)
    return {team: int(rank) if rank else None for rank, team in rows}


def csv_ranks(text: str) -> Ranks:
    rows = csv.DictReader(io.StringIO(text))
    return {row["team"]: int(row["rank"]) if row["rank"] else None for row in rows}


def json_ranks(text: str) -> Ranks:
    return {row["team"]: row["rank"] for row in json.loads(text)["rows"]}


def table_ranks(script: str) -> Ranks:
    """The ranks in the table of a page, which its script unpacks."""
    model = json.loads(zlib.decompress(base64.b85decode(script.split('"')[1])))
    return {
        row["cells"]["team"]["v"]: row["cells"]["rank"]["v"] if row["ranked"] else None
        for row in model["rows"]
    }


def entry_rank(page: str) -> int | None:
    """The rank on the page of one entry."""
    found = re.search(r"Rank (\d+) of |Not ranked\.", page)
    assert found is not None
    return int(found[1]) if found[1] else None


def check(found: dict[str, Ranks], ranks: Ranks) -> None:
    assert found == dict.fromkeys(found, ranks)
