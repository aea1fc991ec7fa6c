"""Steps that try the sandbox itself: for `harness doctor` and for the corpus of attacks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def nothing(
    request: Mapping[str, Any],  # noqa: ARG001 every entry is called alike
    inputs: Mapping[str, Path],  # noqa: ARG001
    outputs: Mapping[str, Path],  # noqa: ARG001
) -> dict[str, Any]:
    """Do nothing: it shows that a step can be started."""
    return {}


def execute(
    request: Mapping[str, Any], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Execute the Python file ``inputs["code"]`` and return what it leaves in ``found``.

    The code sees ``request``, ``inputs`` and ``outputs``. This is what importing a participant's
    module comes to, without the seconds that TensorFlow takes.
    """
    names: dict[str, Any] = {"request": request, "inputs": inputs, "outputs": outputs}
    code = inputs["code"]
    exec(compile(code.read_text(encoding="utf-8"), code, "exec"), names)  # noqa: S102 its purpose
    return {"found": names.get("found")}
