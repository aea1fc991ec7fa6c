"""An ONNX file read as hostile data: its nodes and constants as plain values.

Nothing outside of the submission's folder is read. What the file may hold is limited here; what an
operator means is decided by its builder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.card.text import visible
from harness.errors import InvalidSubmissionError, Problem
from harness.files import read_bounded
from harness.submission.onnx.values import Array

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

# A submission has at most this many bytes in all.
MAX_BYTES = 64 * 1024**2
MAX_NODES = 2_000
# Since 9, batch normalisation has no settings of the training; what is newer than the package onnx
# cannot be known.
MIN_OPSET = 9
# The standard operators, and those of QONNX by the names that its writers use.
STANDARD = frozenset({"", "ai.onnx"})
QUANTISED = frozenset(
    {"qonnx.custom_op.general", "qonnx.custom_op", "onnx.brevitas", "finn.custom_op.general"}
)
_EXPORT = "export it again, for PyTorch by torch.onnx.export(..., external_data=False)"
_MAX_SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class RawNode:
    """A node as it stands in the file.

    Attributes
    ----------
    kind, domain : str
        Its operator.
    name : str
        What messages call it.
    inputs, outputs : tuple of str
        Names of values; empty for one that is left out.
    settings : mapping
        Its attributes as Python's values.
    """

    kind: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxGraph:
    """What a network's ONNX file holds.

    Attributes
    ----------
    nodes : tuple of RawNode
        In the order of computation.
    constants : mapping of str to ndarray
        The initialisers, by name.
    input_name, output_name : str
        Of the events, and of the score.
    input_shape : tuple of int
        Shape of one event.
    batch : int or None
        The number of events that the file is made for; None if it leaves it open.
    opset : int
        Version of the standard operators.
    """

    nodes: tuple[RawNode, ...]
    constants: Mapping[str, Array]
    input_name: str
    output_name: str
    input_shape: tuple[int, ...]
    batch: int | None
    opset: int


def read_onnx(path: Path) -> OnnxGraph:
    """Read a network from an ONNX file of a submission.

    Raises
    ------
    InvalidSubmissionError
        The file is damaged, too large, or has more than one plain graph of standard and QONNX
        operators: subgraphs, functions, other domains, open shapes, several inputs or outputs,
        constants that are not finite.
    """
    where = path.name
    model = _parse(path)
    opset = _opset_of(model, where)
    graph = model.graph
    problems = list(_structure_problems(model, where))
    if problems:
        raise InvalidSubmissionError(*problems[:20])
    constants = {item.name: _array(item, path, where) for item in graph.initializer}
    nodes = tuple(_node(item, path, where) for item in graph.node)
    problems = list(_number_problems(constants, where))
    inputs = [item for item in graph.input if item.name not in constants]
    problems += _interface_problems(graph, inputs, where)
    if problems:
        raise InvalidSubmissionError(*problems[:20])
    batch, shape = _shape_of(inputs[0], where)
    return OnnxGraph(
        nodes=nodes,
        constants=constants,
        input_name=inputs[0].name,
        output_name=graph.output[0].name,
        input_shape=shape,
        batch=batch,
        opset=opset,
    )


def _parse(path: Path) -> ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    content = read_bounded(path, MAX_BYTES, may_be_link=False)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, ValueError, RecursionError) as error:
        raise _damaged(path.name, str(error)) from error
    if not model.HasField("graph") or not model.graph.node:
        raise _damaged(path.name, "it has no graph")
    return model


def _damaged(where: str, why: str) -> InvalidSubmissionError:
    return InvalidSubmissionError(
        f"cannot be read as ONNX: {visible(why)[:200]}",
        where=where,
        expected="a whole ONNX file",
        fix="write or copy it again; is Git LFS installed?",
    )


def _opset_of(model: ModelProto, where: str) -> int:
    """Return the version of the standard operators."""
    import onnx

    newest = onnx.defs.onnx_opset_version()
    found = [item.version for item in model.opset_import if item.domain in STANDARD]
    opset = found[0] if found else 0
    if not MIN_OPSET <= opset <= newest:
        raise InvalidSubmissionError(
            f"it uses opset {opset} of the standard operators" if found else "it names no opset",
            where=where,
            expected=f"opset {MIN_OPSET} to {newest}",
            fix="export it with opset_version=18",
        )
    return opset


def _structure_problems(model: ModelProto, where: str) -> Iterator[Problem]:
    if model.functions:
        yield Problem(
            what=f"it defines functions of its own, such as {_shown(model.functions[0].name)}",
            where=where,
            expected="one plain graph",
            fix="inline them: onnx.inliner.inline_local_functions(model)",
        )
    if len(model.graph.node) > MAX_NODES:
        yield Problem(
            what=f"it has {len(model.graph.node):,} nodes",
            where=where,
            expected=f"at most {MAX_NODES:,}",
            fix="simplify it before the export",
        )
        return
    if model.graph.sparse_initializer:
        yield Problem(what="it has sparse weights", where=where, fix="export dense ones")
    for node in model.graph.node:
        yield from _node_problems(node, where)


def _node_problems(node: NodeProto, where: str) -> Iterator[Problem]:
    import onnx

    place = f"{where}, {name_of(node)}"
    types = onnx.AttributeProto
    if node.domain not in STANDARD | QUANTISED:
        yield Problem(
            what=f"the operator {_shown(node.op_type)} is of the domain {_shown(node.domain)}",
            where=place,
            expected="standard operators of ONNX, or Quant, IntQuant and BipolarQuant of QONNX",
            fix="export without fused or custom operators",
        )
    if any(item.type in (types.GRAPH, types.GRAPHS) for item in node.attribute):
        yield Problem(
            what=f"the operator {_shown(node.op_type)} holds a graph of its own",
            where=place,
            expected="no If, Loop or Scan: firmware has no branches",
            fix="write the choice as torch.where, and unroll loops before the export",
        )
    refused = (types.SPARSE_TENSOR, types.SPARSE_TENSORS, types.TYPE_PROTO, types.TYPE_PROTOS)
    if any(item.type in refused or item.ref_attr_name for item in node.attribute):
        yield Problem(what="has a setting that is no number, text or array", where=place)


def name_of(node: NodeProto) -> str:
    """Return how messages name a node: its own name, or what it gives."""
    if node.name:
        return f"node {_shown(node.name)} ({_shown(node.op_type, quote=False)})"
    given = node.output[0] if node.output else "nothing"
    return f"node of {_shown(given)} ({_shown(node.op_type, quote=False)})"


def _shown(text: str | bytes, *, quote: bool = True) -> str:
    # protobuf gives the bytes of a text that is not UTF-8.
    readable = text if isinstance(text, str) else text.decode("utf-8", errors="replace")
    short = visible(readable)[:_MAX_SHOWN]
    return repr(short) if quote else short


# --- Numbers --------------------------------------------------------------------------------------


def _node(node: NodeProto, path: Path, where: str) -> RawNode:
    return RawNode(
        kind=node.op_type,
        domain=node.domain,
        name=name_of(node),
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        settings=dict(_settings(node, path, where)),
    )


def _settings(node: NodeProto, path: Path, where: str) -> Iterator[tuple[str, Any]]:
    import onnx

    for item in node.attribute:
        if item.type == onnx.AttributeProto.TENSOR:
            yield item.name, _array(item.t, path, f"{where}, {name_of(node)}")
            continue
        if item.type == onnx.AttributeProto.TENSORS:
            continue
        value = onnx.helper.get_attribute_value(item)
        if isinstance(value, bytes):
            value = value.decode("utf-8", errors="replace")
        yield item.name, list(value) if not isinstance(value, (int, float, str)) else value


def _array(tensor: TensorProto, path: Path, where: str) -> Array:
    """Return the numbers of a constant; those of another file are read from the submission."""
    import onnx

    place = f"{where}, constant {_shown(tensor.name)}"
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        _take_in(tensor, path, place)
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception as error:
        # The package raises what NumPy raises of sizes that do not fit.
        raise InvalidSubmissionError(
            f"cannot be read: {visible(str(error))[:200]}", where=place, fix=_EXPORT
        ) from error


def _take_in(tensor: TensorProto, path: Path, place: str) -> None:
    """Put the bytes of a constant that lie in another file of the submission into it."""
    import onnx

    told = {item.key: item.value for item in tensor.external_data}
    location = PurePosixPath(told.get("location", ""))
    file = path.parent / location
    is_inside = location.parts and not location.is_absolute() and ".." not in location.parts
    if not is_inside or not file.is_file() or file.is_symlink():
        raise InvalidSubmissionError(
            f"its numbers lie in another file, {_shown(str(location))}, which is not here",
            where=place,
            expected="the file beside the model, in the submission",
            fix=f"{_EXPORT}, or add that file",
        )
    content = read_bounded(file, MAX_BYTES, may_be_link=False)
    try:
        offset, length = int(told.get("offset", 0)), int(told.get("length", len(content)))
    except ValueError:
        offset, length = -1, -1
    if not (0 <= offset <= len(content) and 0 <= length <= len(content) - offset):
        raise InvalidSubmissionError(
            f"the file {_shown(str(location))} ends before its numbers",
            where=place,
            fix=f"copy the file again, or {_EXPORT}",
        )
    tensor.raw_data = content[offset : offset + length]
    tensor.data_location = onnx.TensorProto.DEFAULT


def _number_problems(constants: Mapping[str, Array], where: str) -> Iterator[Problem]:
    for name, array in constants.items():
        is_number = np.issubdtype(array.dtype, np.number) or array.dtype == bool
        if not is_number:
            yield Problem(
                what=f"is of the type {array.dtype}",
                where=f"{where}, constant {_shown(name)}",
                expected="float32, or whole numbers",
                fix="export the model in float32: model.float()",
            )
        elif np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            n_bad = int((~np.isfinite(array)).sum())
            yield Problem(
                what=f"{n_bad} of its {array.size} numbers are not finite",
                where=f"{where}, constant {_shown(name)}",
                expected="finite weights",
                fix="find where the training diverged, and export an earlier checkpoint",
            )


# --- The input and the output ---------------------------------------------------------------------


def _interface_problems(
    graph: GraphProto, inputs: list[ValueInfoProto], where: str
) -> Iterator[Problem]:
    if len(inputs) != 1:
        yield Problem(
            what=f"it has {len(inputs)} inputs",
            where=where,
            expected="one input, the event",
            fix="concatenate inside the model, and export with one tensor",
        )
    if len(graph.output) != 1:
        names = ", ".join(_shown(item.name) for item in graph.output[:5])
        yield Problem(
            what=f"it has {len(graph.output)} outputs: {names}",
            where=where,
            expected="one output, the anomaly score",
            fix="compute the score in forward(), and return it alone",
        )


def _shape_of(value: ValueInfoProto, where: str) -> tuple[int | None, tuple[int, ...]]:
    """Return the number of events, if it is fixed, and the shape of one event."""
    import onnx

    tensor = value.type.tensor_type
    place = f"{where}, input {_shown(value.name)}"
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise InvalidSubmissionError(
            "is not of float32",
            where=place,
            expected="float32",
            fix="export the model in float32: model.float()",
        )
    sizes = [item.dim_value for item in tensor.shape.dim]
    if len(sizes) < 2 or not all(0 < size <= 1_000_000 for size in sizes[1:]):
        shown = [item.dim_value or item.dim_param or "?" for item in tensor.shape.dim]
        raise InvalidSubmissionError(
            f"has the shape ({visible(', '.join(map(str, shown)))[:80]})",
            where=place,
            expected="the number of events first, open or fixed, then the fixed sizes of an event",
            fix="leave only dimension 0 dynamic",
        )
    return sizes[0] or None, tuple(sizes[1:])
