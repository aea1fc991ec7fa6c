"""The page that Streamlit sends first, with the app's style in it.

Without it a visitor sees the content in Streamlit's own places for a moment, before the app's style
arrives as an element of the page and moves all of it.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
STYLES = ("blocks.css", "app.css")
_PAGE = "index.html"


def app_style() -> str:
    """Return the style of the app's pages."""
    return "".join((ASSETS / name).read_text(encoding="utf-8") for name in STYLES)


def styled_page(page: str, style: str) -> str:
    """Put a style at the end of the head of a page; one without a head stays as it is."""
    return page.replace("</head>", f"<style>{style}</style></head>", 1)


def styled_files(original: Path, folder: Path, style: str) -> Path:
    """Make a folder with all of Streamlit's own files, whose page has the style.

    Parameters
    ----------
    original : Path
        Streamlit's folder; all but the page are links to it.
    folder : Path
        An empty folder.
    """
    page = (original / _PAGE).read_text(encoding="utf-8")
    (folder / _PAGE).write_text(styled_page(page, style), encoding="utf-8")
    for path in original.iterdir():
        if path.name != _PAGE:
            (folder / path.name).symlink_to(path)
    return folder


def send_style_first() -> None:
    """Let Streamlit send the page with the style, from a folder of this process."""
    from streamlit import file_util

    folder = Path(tempfile.mkdtemp(prefix="leaderboard-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = str(styled_files(Path(file_util.get_static_dir()), folder, app_style()))
    file_util.get_static_dir = lambda: made
