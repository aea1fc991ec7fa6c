"""What a view looks like in a terminal."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType


def draw(view: RenderableType, width: int = 120) -> str:
    """Draw a view without colours."""
    stream = io.StringIO()
    Console(file=stream, width=width).print(view)
    return stream.getvalue()
