"""The layers of a Keras model: each call in the order of computation, and who defines them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.submission.calls import nodes_of

if TYPE_CHECKING:
    import keras
    from keras.src.ops.node import Node

# Layers that a reason names before it says "and N more".
_MAX_NAMED = 5


def calls(model: keras.Model) -> Iterator[Node]:
    """Yield each call of each layer, in the order of computation; those of nested models too.

    A nested model's own calls are yielded once for each time that it is called.
    """
    for node in nodes_of(model):
        if hasattr(node.operation, "_nodes_by_depth") or hasattr(node.operation, "_functional"):
            yield from calls(node.operation)
        elif not node.is_input:
            yield node


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers at all depths, quantisers included."""
    return list(model._flatten_layers(include_self=False, recursive=True))  # noqa: SLF001


def rule_name(layer: keras.layers.Layer) -> str:
    """Return the name under which a layer's rule stands, or "" for a class of anybody else.

    It is the name of the class that Keras or HGQ2 itself defines, so a subclass has no rule;
    functions of `keras.ops` have the prefix ``ops.``.
    """
    kind = type(layer)
    package, _, module = kind.__module__.partition(".")
    if package not in ("keras", "hgq"):
        return ""
    return f"ops.{kind.__name__}" if module.startswith(("src.ops.", "ops.")) else kind.__name__


def named(layer: keras.layers.Layer) -> str:
    """Name a layer to its author."""
    return f"{layer.name} ({type(layer).__name__})"


def listed(names: list[str]) -> str:
    """Join names, the first few of many.

    Examples
    --------
    >>> listed(["a", "b"])
    'a, b'
    >>> listed(list("abcdefg"))
    'a, b, c, d, e and 2 more'
    """
    shown = ", ".join(names[:_MAX_NAMED])
    rest = len(names) - _MAX_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
