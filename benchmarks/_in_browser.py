"""What a visitor of the leaderboard waits for, in a real Chromium: the worst cases."""

from __future__ import annotations

import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Pages are opened this often, in turn with the empty one, each time in a fresh profile.
N_OPENINGS = 5
N_REPEATS = 7
_WAIT_MS = 120_000
_ROWS = ".board tbody tr.ranked"
# Sums what moves without the visitor having done anything, as browsers define it.
_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
# Does what the visitor does and waits for the frame after the one in which it is drawn.
_UNTIL_DRAWN = """
(element, act) => new Promise((done) => {
  if (act === null) element.click();
  else { element.value = act; element.dispatchEvent(new Event("input", { bubbles: true })); }
  requestAnimationFrame(() => setTimeout(done));
})
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one board costs a visitor: medians of seconds, and the largest of them.

    Attributes
    ----------
    empty_s, content_s : float
        From the address to the text of an empty Streamlit page, and to the rows of the ranking.
    shift : float
        Largest sum of the layout shifts of an opening.
    typed_s, sorted_s : float
        Longest time that a letter that all teams have, or a click on a heading, takes to be drawn:
        processor seconds of the page's own thread, as a busy machine would add its waiting.
    point_s : float
        From the choice of another working point to its figures.
    """

    empty_s: float
    content_s: float
    shift: float
    typed_s: float
    sorted_s: float
    point_s: float


@contextmanager
def chromium() -> Iterator[Browser | None]:
    """Start a Chromium; None where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def see(browser: Browser, url: str, empty_url: str) -> Seen:
    """Open the ranking and an empty page in turn, then sort, filter, and change the point."""
    ranking = f"{url}?challenge=sample"
    opened, empty, shifts = [], [], []
    for i in range(N_OPENINGS + 1):
        blank_s, _ = _opening(browser, empty_url, "text=empty")
        content_s, shift = _opening(browser, ranking, _ROWS)
        # The first visit of a server warms it up.
        if i:
            empty.append(blank_s)
            opened.append(content_s)
            shifts.append(shift)
    with _page(browser) as page:
        page.goto(ranking)
        page.locator(_ROWS).first.wait_for()
        page.wait_for_timeout(1_000)
        clock = _thread_clock(page)
        texts = ("t", "", "te", "") * 2
        typed = [_drawn_s(page, "input[type=search]", text, clock) for text in texts]
        heads = [f"thead button:has-text('{one}')" for one in ("Merit", "Team", "LUT", "Latency")]
        sortings = [_drawn_s(page, head, None, clock) for head in heads]
    return Seen(
        empty_s=statistics.median(empty),
        content_s=statistics.median(opened),
        shift=max(shifts),
        typed_s=max(typed),
        sorted_s=max(sortings),
        point_s=statistics.median(_points_s(browser, ranking)),
    )


def page_bytes(browser: Browser, path: Path) -> tuple[int, int]:
    """Return the bytes that a page of the static site takes: before a chart is seen, and with all.

    A window of 200 pixels shows the title alone.
    """
    with _page(browser, height=200) as page:
        files: set[str] = set()
        page.on("request", lambda request: files.add(request.url.partition("#")[0]))
        page.goto(path.as_uri())
        page.wait_for_timeout(1_500)
        opened = _size(files)
        for _ in range(60):
            page.mouse.wheel(0, 600)
            page.wait_for_timeout(50)
        page.wait_for_timeout(1_500)
        return opened, _size(files)


def _size(urls: Sequence[str] | set[str]) -> int:
    from urllib.parse import unquote, urlsplit

    return sum(Path(unquote(urlsplit(one).path)).stat().st_size for one in urls)


@contextmanager
def _page(browser: Browser, *, height: int = 768) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1366, "height": height})
    page = context.new_page()
    page.set_default_timeout(_WAIT_MS)
    page.add_init_script(_SHIFTS)
    yield page
    context.close()


def _opening(browser: Browser, url: str, content: str) -> tuple[float, float]:
    """Open a page in a fresh profile; return seconds to its content, and how much moved."""
    with _page(browser) as page:
        started = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.locator(content).first.wait_for()
        content_s = time.perf_counter() - started
        page.wait_for_timeout(1_500)
        return content_s, float(page.evaluate("window.shifted"))


def _thread_clock(page: Page) -> Callable[[], float]:
    """Return a function that tells the processor seconds that the page's thread has used."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def used_s() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in found if one["name"] == "TaskDuration")

    return used_s


def _drawn_s(page: Page, selector: str, act: str | None, clock: Callable[[], float]) -> float:
    before = clock()
    page.locator(f".board {selector}").first.evaluate(_UNTIL_DRAWN, act)
    return clock() - before


def _points_s(browser: Browser, url: str) -> list[float]:
    """Change the working point and back; return the seconds until other figures stand there."""
    taken = []
    with _page(browser) as page:
        page.goto(url)
        page.locator(_ROWS).first.wait_for()
        page.wait_for_timeout(1_000)
        for i in range(N_REPEATS):
            figure = page.locator(f"{_ROWS} td .value").nth(2)
            before = figure.text_content() or ""
            page.get_by_role("combobox", name=re.compile("False positive rate")).click()
            option = page.get_by_role("option", name="1e-5" if i % 2 else "1e-3", exact=True)
            option.wait_for()
            started = time.perf_counter()
            option.click()
            page.wait_for_function(
                """([selector, before]) => {
                    const found = [];
                    const look = (root) => {
                        found.push(...root.querySelectorAll(selector));
                        for (const one of root.querySelectorAll('*'))
                            if (one.shadowRoot) look(one.shadowRoot);
                    };
                    look(document);
                    return found.length > 2 && found[2].textContent !== before; }""",
                arg=[f"{_ROWS} td .value", before],
            )
            taken.append(time.perf_counter() - started)
            page.wait_for_timeout(300)
    return taken
