"""Boards, pages, servers and a browser for the tests of the leaderboard."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.board.boards import Boards
from harness.card.records import ScoreCard
from leaderboard_app import serve
from leaderboard_app.settings import VARIABLE, Settings
from leaderboard_app.static_site import export_site
from tests.cards import make_board, make_card, make_challenge, make_summary, write_board
from tests.trigger_reports import make_cluster_report, make_watch_report, write_report

APP = Path(serve.APP)
PROXY_NAME = "board.example"
# What a team may write where text is asked for.
HOSTILE_TITLE = '<img src=x onerror="window.pwned=1"> **b** [x](javascript:window.pwned=1)'
HOSTILE_TEXT = (
    "<script>window.pwned=1</script> ![i](https://evil.example/p.png) \u202egnp.exe \x1b[31m "
    '=HYPERLINK("https://evil.example") <b>bold</b> {{ 7*7 }} ${7*7} </script><svg onload=alert(1)>'
)


def hostile_card() -> ScoreCard:
    card = make_card("hostile", title=HOSTILE_TITLE, created="2026-04-01T00:00:00Z")
    submission = card.submission.model_copy(
        update={
            "description": HOSTILE_TEXT,
            "authors": (HOSTILE_TEXT, "Müller, שלום"),
            "training_data": HOSTILE_TEXT,
            "method": "other",
            "method_detail": HOSTILE_TEXT,
            "trained_on": (HOSTILE_TEXT,),
            "references": ("javascript:window.pwned=1", "https://evil.example/ref"),
            "licence": HOSTILE_TEXT,
        }
    )
    return card.model_copy(update={"submission": submission, "warnings": (HOSTILE_TEXT,)})


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Path:
    """A folder of made-up cards: 12 teams with history, a hostile one, a broken file."""
    folder = tmp_path_factory.mktemp("board") / "results"
    write_board([*make_board(30, n_teams=12), hostile_card()], folder)
    write_board(
        [make_card("solo", challenge=make_challenge(name="adc2021", synthetic=False))], folder
    )
    (folder / "sample" / "summary.json").write_text(make_summary().model_dump_json())
    write_report(folder, "background", make_cluster_report(is_found=False))
    write_report(folder, "with_5000_of_a_signal", make_cluster_report())
    write_report(folder, "watch_good", make_watch_report(is_quiet=True))
    write_report(folder, "watch_dead_region", make_watch_report())
    (folder / "sample" / "team_003" / "broken.json").write_text('{"schema_version": 7}')
    return folder


@pytest.fixture(scope="module")
def site(results: Path, tmp_path_factory) -> Path:
    """The static site of these cards."""
    folder = tmp_path_factory.mktemp("site") / "site"
    export_site(Boards(results), folder)
    return folder


@pytest.fixture
def app_settings(monkeypatch) -> Callable[[Settings], None]:
    """Tell an app that runs in this process its settings."""

    def tell(settings: Settings) -> None:
        monkeypatch.setenv(VARIABLE, settings.model_dump_json())

    return tell


@dataclass(frozen=True)
class Server:
    """A leaderboard that runs in a process of its own."""

    url: str
    port: int
    pid: int
    log: Path


@contextmanager
def run_server(settings: Settings, folder: Path, *, base_path: str = "") -> Iterator[Server]:
    """Run the leaderboard as `harness leaderboard --serve` does."""
    port = free_port()
    log = folder / f"server-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            serve.command(port=port, address="127.0.0.1", base_path=base_path),
            env=serve.environment(settings, {**os.environ, "HOME": str(folder)}),
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    prefix = f"/{base_path}" if base_path else ""
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}{prefix}/_stcore/health", process, log)
        yield Server(url=f"http://127.0.0.1:{port}{prefix}/", port=port, pid=process.pid, log=log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_healthy(url: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the leaderboard ended: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the leaderboard did not start within two minutes: {log.read_text()}")


@pytest.fixture(scope="session")
def server(results, tmp_path_factory) -> Iterator[Server]:
    with run_server(
        Settings(results=str(results), refresh_s=1.0), tmp_path_factory.mktemp("app")
    ) as it:
        yield it


@pytest.fixture(scope="session")
def chromium():
    """A real Chromium."""
    from playwright.sync_api import expect, sync_playwright

    # On a busy machine a page takes its time.
    expect.set_options(timeout=30_000)
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("no Chromium here: apt-get install -y chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                # A name that only a reverse proxy would have.
                f"--host-resolver-rules=MAP {PROXY_NAME} 127.0.0.1",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page with everything that it asked for and complained of."""

    page: object
    requests: list[str]
    problems: list[str]

    def hosts(self) -> set[str]:
        return {
            url.split("/")[2].split(":")[0]
            for url in self.requests
            if url.startswith(("http:", "https:", "ws:", "wss:"))
        }


@pytest.fixture
def visit(chromium) -> Iterator[Callable[..., Visit]]:
    """Open pages in a fresh profile, recording requests and console."""
    contexts = []

    def open_page(
        url: str, *, width: int = 1366, height: int = 768, scheme: str = "light", zone: str = "UTC"
    ) -> Visit:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            accept_downloads=True,
            timezone_id=zone,
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        made = Visit(page=page, requests=[], problems=[])
        page.on("request", lambda request: made.requests.append(request.url))
        page.on("websocket", lambda socket: made.requests.append(socket.url))
        page.on("pageerror", lambda error: made.problems.append(f"error: {error}"))
        page.on("console", lambda message: _complain(made, message))
        page.goto(url)
        return made

    yield open_page
    for context in contexts:
        context.close()


def _complain(visit: Visit, message) -> None:
    if message.type not in {"error", "warning"}:
        return
    # On a page that is not the first, Streamlit looks for its server below the page's own path
    # before it looks where it is: two answers of 404, on every visit, by its design.
    probe = message.location.get("url", "")
    if "404" in message.text and probe.endswith(("/_stcore/health", "/_stcore/host-config")):
        return
    visit.problems.append(f"{message.type}: {message.text} ({probe})")


# Where screenshots of the pages are kept, as artefacts and for the documentation.
SHOTS = os.environ.get("LEADERBOARD_SCREENSHOTS")


def keep_screenshot(page, name: str) -> None:
    """Keep a picture of what the visitor sees, where one is asked for."""
    if not SHOTS:
        return
    folder = Path(SHOTS)
    folder.mkdir(parents=True, exist_ok=True)
    # Charts follow a change of size a moment later: wait until nothing moves.
    before = b""
    for _ in range(20):
        page.wait_for_timeout(300)
        now = page.screenshot(path=folder / f"{name}.png")
        if now == before:
            return
        before = now
