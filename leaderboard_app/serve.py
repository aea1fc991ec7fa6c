"""Starts the app: one command with every setting that keeps it private and quiet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from leaderboard_app.settings import VARIABLE, Settings

APP = Path(__file__).parent / "streamlit_app.py"

# Nothing is sent anywhere, nothing is watched or edited, and no error shows a traceback.
_OPTIONS = {
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "global.developmentMode": "false",
    "runner.magicEnabled": "false",
    "theme.light.primaryColor": "#1d5fa8",
    "theme.dark.primaryColor": "#3a7fc4",
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
    return {**base, VARIABLE: settings.model_dump_json()}


def serve(
    settings: Settings, *, port: int = 8501, address: str = "127.0.0.1", base_path: str = ""
) -> int:
    """Run the app until it is stopped; return its exit status."""
    started = command(port=port, address=address, base_path=base_path)
    try:
        return subprocess.run(started, env=environment(settings), check=False).returncode
    except KeyboardInterrupt:
        return 0
