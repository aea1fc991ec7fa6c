"""Draw the pictures of the leaderboard in docs/images from the cards in results/.

python -m tools.pictures

Needs the package `playwright` and a Chromium on PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard_app import serve
from leaderboard_app.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH = 1366
# Address and height of each picture.
PICTURES = {
    "ranking": ("?challenge=sample", 768),
    "trade-off": ("trade_off?challenge=sample", 768),
    "submission": ("submission?challenge=sample&team=covariance_met", 1240),
    "compare": ("compare?challenge=sample&teams=covariance_met,double_ae", 1180),
}
START_SECONDS = 60.0


@contextmanager
def board() -> Iterator[str]:
    """Run the leaderboard on a free port; give its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    settings = Settings(results=str(ROOT / "results"))
    process = subprocess.Popen(
        serve.command(port=port, address="127.0.0.1"),
        env=serve.environment(settings, os.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}/"
    try:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"{address}_stcore/health"):  # noqa: S310
                break
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()


def draw(page: Page, name: str, address: str, height: int) -> Path:
    """Take a picture of a page once nothing on it changes."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(address)
    page.locator("h1").wait_for()
    path = IMAGES / f"leaderboard-{name}.png"
    before = b""
    for _ in range(40):
        page.wait_for_timeout(1_000)
        now = page.screenshot(path=path)
        if now == before:
            break
        before = now
    return path


def shrink(path: Path) -> None:
    """Give a picture a palette: a third of its size."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256)
    small.save(path, optimize=True)


def main() -> int:
    """Draw them all."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no Chromium on PATH: apt-get install -y chromium", file=sys.stderr)
        return 1
    with board() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        for name, (place, height) in PICTURES.items():
            path = draw(page, name, address + place, height)
            shrink(path)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} kB")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
