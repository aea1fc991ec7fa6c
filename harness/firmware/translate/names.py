"""Names of layers and tensors that translators cannot mistake for anything else.

Participants name their layers as Keras lets them: by words of C++, by names that hls4ml keeps for
itself, with a leading digit or a hyphen. While a network is translated its layers have other names;
what is reported has those of the participant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.firmware.backend import UntranslatableError

if TYPE_CHECKING:
    import keras

# So much of a participant's name is kept, for whoever reads the C++.
_N_KEPT = 24
_PLAIN = re.compile(r"\bl(\d+)_\w*")


@dataclass(frozen=True, slots=True)
class OwnNames:
    """The names of a participant, by the place of each layer in the network."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, model: keras.Model) -> OwnNames:
        """Return the names that the layers of a network have now."""
        return cls(tuple(operation.name for operation in model.operations))

    def restore(self, text: str) -> str:
        """Write the participant's names in a text of a translator.

        Examples
        --------
        >>> OwnNames(("event", "dense-1")).restore("at the layer l1_dense_1")
        'at the layer dense-1'
        """
        return _PLAIN.sub(self._own, text)

    def _own(self, match: re.Match[str]) -> str:
        place = int(match[1])
        return self.names[place] if place < len(self.names) else match[0]


def require_layers(model: keras.Model, names: Iterable[str], field: str) -> None:
    """Refuse words or choices for a layer that the network does not have.

    Parameters
    ----------
    field : str
        Where `submission.yaml` names the layers.

    Raises
    ------
    UntranslatableError
        It names those that there are not.
    """
    known = OwnNames.of(model).names
    if unknown := sorted(set(names) - set(known)):
        raise UntranslatableError(
            f"the network has no layer {', '.join(unknown)[:200]}",
            where=f"submission.yaml, field {field}",
            expected=f"names among {', '.join(known)[:600]}",
        )


@contextmanager
def plain_names(model: keras.Model) -> Iterator[None]:
    """Give the layers of a network, and all that lies within them, other names for a while.

    Each begins with ``l`` and the layer's number, so that it is no word of any language, none that
    a translator keeps for itself, and no other layer's.
    """
    operations = list(model.operations)
    before = [(part, part.name) for operation in operations for part in _parts(operation)]
    try:
        for place, operation in enumerate(operations):
            kept = re.sub(r"[^a-z0-9]+", "_", operation.name.lower()).strip("_")[:_N_KEPT]
            for number, part in enumerate(_parts(operation)):
                part.name = f"l{place}_{kept}" + (f"_{number}" if number else "")
        yield
    finally:
        for part, name in before:
            part.name = name


def _parts(operation: keras.Operation) -> Sequence[keras.Operation]:
    """Return an operation and the layers within it, such as its quantisers."""
    flatten = getattr(operation, "_flatten_layers", None)
    return [operation] if flatten is None else list(flatten())


def number_tensors(model: keras.Model) -> None:
    """Give every tensor of a network another name: translators know tensors by their names.

    An input has the name that its participant gave it, which may be another tensor's.
    """
    for number, tensor in enumerate(_tensors(model)):
        tensor.name = f"tensor{number}"


def _tensors(model: keras.Model) -> Iterator[keras.KerasTensor]:
    for nodes in model._nodes_by_depth.values():  # noqa: SLF001 Keras lists the nodes nowhere else
        for node in nodes:
            yield from node.outputs
            inner = getattr(node.operation, "_functional", node.operation)
            if hasattr(inner, "_nodes_by_depth"):
                yield from _tensors(inner)
