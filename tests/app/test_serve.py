"""How the app is started: what keeps it private and quiet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request

import psutil
import pytest

from harness.cli.board import settings_of
from harness.data.manifest import load_manifest
from leaderboard_app import serve
from leaderboard_app.__main__ import keep_to_itself
from leaderboard_app.settings import VARIABLE, read_settings
from tests.app.conftest import free_port, wait_until_healthy


def test_an_unknown_visitor_makes_the_server_ask_no_host_outside(monkeypatch):
    from streamlit import net_util
    from streamlit.web.server.server_util import is_url_from_allowed_origins

    asked = []

    def ask(url: str, **_: object) -> None:
        asked.append(url)

    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "_make_blocking_http_get", ask)
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    assert not is_url_from_allowed_origins("https://stranger.example")
    assert asked, "Streamlit no longer asks: the guard can go"
    asked.clear()

    keep_to_itself()

    assert not is_url_from_allowed_origins("https://stranger.example")
    assert is_url_from_allowed_origins("http://127.0.0.1:8501")
    assert asked == []


@pytest.mark.parametrize(
    "option",
    [
        "--browser.gatherUsageStats=false",
        "--client.showErrorDetails=none",
        "--server.enableStaticServing=false",
        "--server.fileWatcherType=none",
        "--server.address=127.0.0.1",
    ],
)
def test_the_app_starts_with_every_setting_that_keeps_it_quiet(option):
    assert option in serve.command(port=8501, address="127.0.0.1")


def test_the_app_reads_the_challenges_of_the_shipped_manifest_as_they_are(tmp_path):
    settings = settings_of(tmp_path, load_manifest(), is_private=True)
    assert len({type(one.merit) for one in settings.challenges}) > 2

    started = serve.environment(settings, {})

    assert read_settings(started) == settings
    # One variable of the environment holds no more.
    assert len(f"{VARIABLE}={started[VARIABLE]}") < 128 * 1024


def test_nothing_opens_the_app_to_scripts_of_other_pages():
    command = " ".join(serve.command(port=8501, address="0.0.0.0", base_path="/board/"))
    assert "--server.baseUrlPath=board" in command
    for option in ("enableAgentApi", "enableCORS", "enableXsrfProtection", "corsAllowedOrigins"):
        assert option not in command


def test_the_app_ends_with_the_command_that_a_service_manager_ends(tmp_path):
    port, log = free_port(), tmp_path / "log"
    with log.open("wb") as out:
        command = subprocess.Popen(
            [sys.executable, "-m", "harness.cli", "leaderboard", "--serve", "--port", str(port)],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    health = f"http://127.0.0.1:{port}/_stcore/health"
    wait_until_healthy(health, command, log)
    (app,) = psutil.Process(command.pid).children()

    command.send_signal(signal.SIGTERM)

    assert command.wait(timeout=30) in {0, 143, -signal.SIGTERM}
    assert not app.is_running() or app.status() == psutil.STATUS_ZOMBIE
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(health, timeout=2)
