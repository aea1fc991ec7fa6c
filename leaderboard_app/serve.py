"""Starts the app: one command with every setting that keeps it private and quiet."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.errors import EnvironmentFaultError, UsageError
from leaderboard_app.settings import VARIABLE, Settings, packed_settings

APP = Path(__file__).parent / "streamlit_app.py"

_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - named, not listened on
# How it ends when someone stops it.
_STOPPED = frozenset({0, -signal.SIGINT, -signal.SIGTERM, 130, 143})

# Nothing is sent anywhere, nothing is watched or edited, and no error shows a traceback.
_OPTIONS = {
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "global.developmentMode": "false",
    "runner.magicEnabled": "false",
    "theme.light.primaryColor": "#1d5fa8",
    # White text on it has a contrast of 4.8, it on the dark page one of 3.9.
    "theme.dark.primaryColor": "#3475b6",
    "server.fileWatcherType": "none",
    "server.headless": "true",
    "server.enableStaticServing": "false",
    "server.maxUploadSize": "1",
}


def command(*, port: int, address: str, base_path: str = "") -> list[str]:
    """Return the command that runs the app.

    Parameters
    ----------
    port : int
        Port to listen on.
    address : str
        Address to listen on; ``127.0.0.1`` unless others are to see it.
    base_path : str
        Path under which a reverse proxy shows it, such as ``board``.
    """
    options = {
        **_OPTIONS,
        "server.port": str(port),
        "server.address": address,
        "server.baseUrlPath": base_path.strip("/"),
    }
    arguments = [f"--{name}={value}" for name, value in options.items() if value]
    return [sys.executable, "-m", "leaderboard_app", *arguments]


def environment(settings: Settings, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment that tells the app its settings."""
    return {**base, VARIABLE: packed_settings(settings)}


def url_of(*, port: int, address: str, base_path: str = "") -> str:
    """Return where a browser on this machine finds the app.

    Examples
    --------
    >>> url_of(port=8501, address="0.0.0.0", base_path="/board/")
    'http://127.0.0.1:8501/board/'
    """
    host = "127.0.0.1" if address in _WILDCARDS else address
    host = f"[{host}]" if ":" in host else host
    path = base_path.strip("/")
    return f"http://{host}:{port}/{path}/" if path else f"http://{host}:{port}/"


def serve(
    settings: Settings, *, port: int = 8501, address: str = "127.0.0.1", base_path: str = ""
) -> None:
    """Run the app until it is stopped.

    Raises
    ------
    EnvironmentFaultError
        The app ended by itself.
    """
    started = command(port=port, address=address, base_path=base_path)
    with subprocess.Popen(started, env=environment(settings)) as process:
        # A service manager ends this process alone: the app must not outlive it.
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            status = process.wait()
        except KeyboardInterrupt:
            return
    if status not in _STOPPED:
        raise EnvironmentFaultError(
            f"the leaderboard ended with status {status}",
            where=url_of(port=port, address=address, base_path=base_path),
            fix="what it wrote above says why",
        )


def check_place(address: str, port: int) -> None:
    """Try the place where the app is to listen.

    Raises
    ------
    UsageError
        Nobody can listen there: the port is taken, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            f"the leaderboard cannot listen there: {reason}",
            where=f"{address}, port {port}",
            fix="choose another with --port or --address",
        ) from error
