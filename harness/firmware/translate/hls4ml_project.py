"""A quantised network as an hls4ml project, with the places mended where hls4ml is not exact."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from harness.challenge import FirmwareChoices, LayerChoices
from harness.firmware.artefacts import pack
from harness.firmware.tools import Report, Request, build_folder
from harness.firmware.translate.exact import exact_da4ml
from harness.firmware.translate.hls4ml_layers import readable_by_hls4ml
from harness.firmware.translate.hls4ml_widths import (
    attention_in_hls4ml,
    distributed_in_hls4ml,
    widths_in_hls4ml,
)
from harness.firmware.translate.names import OwnNames, plain_names
from harness.firmware.translate.selections import without_slices

if TYPE_CHECKING:
    import keras

# Name of the project, of its folder in an archive, and of its top function.
PROJECT = "anomaly"
_HANDED_ON = "DA handler used for layer "
_MAX_REASON = 400
# Layers that hls4ml 1.3.0 cannot write with the strategy resource, though it takes the word: HGQ2's
# QEinsumDense, and heads.scale.
_LATENCY_ONLY = "EinsumDense"
_NO_RESOURCE = "latency in place of resource for layer "
_OTHER_REUSE = re.compile(r'Invalid ReuseFactor=(\d+) in layer "([^"]+)".*Using ReuseFactor=(\d+)')


def write_project(model: keras.Model, request: Request, target: Path) -> Report:
    """Pack an hls4ml project, and report which layers it handed to da4ml, or why there is none."""
    from importlib.util import find_spec

    if find_spec("hls4ml") is None:
        return {"hls4ml": "hls4ml is not installed"}
    with build_folder("hls4ml") as parent:
        folder = parent / PROJECT
        model = without_slices(model)
        try:
            printed = convert_by_hls4ml(
                model,
                folder,
                request["part"],
                request["clock_period_ns"],
                request.get("hls_backend", "Vitis"),
                read_choices(request),
            )
        except Exception as error:  # noqa: BLE001 hls4ml raises anything from a graph it cannot read
            return {"hls4ml": OwnNames.of(model).restore(_reason(error))[:_MAX_REASON]}
        pack(target, [(folder, PROJECT)])
    lines = printed.splitlines()
    handed_on = [line.removeprefix(_HANDED_ON) for line in lines if line.startswith(_HANDED_ON)]
    warned = [
        f"layer {line.removeprefix(_NO_RESOURCE)}: hls4ml has no strategy resource for it, and "
        "takes latency"
        for line in lines
        if line.startswith(_NO_RESOURCE)
    ]
    warned += [
        f"layer {found[2]}: hls4ml takes the reuse factor {found[3]} in place of {found[1]}"
        for found in map(_OTHER_REUSE.search, lines)
        if found
    ]
    return {"hls4ml": "translated", "da4ml_layers": handed_on, "warnings": warned}


def read_choices(request: Request) -> FirmwareChoices:
    """Return what the request of a step says of the participant's choices."""
    return FirmwareChoices.model_validate(request.get("choices") or {})


def _reason(error: Exception) -> str:
    """Name what was raised; where it has no text, its place and layer."""
    kind, text = type(error).__name__, str(error).strip()
    if text:
        return f"{kind}: {text}"
    frames = list(walk_tb(error.__traceback__))
    if not frames:
        return kind
    frame, line = frames[-1]
    place = f"{frame.f_code.co_name} ({Path(frame.f_code.co_filename).name}, line {line})"
    layers = (_layer_in(frame.f_locals) for frame, _ in reversed(frames))
    layer = next((f", at the layer {name}" for name in layers if name), "")
    return f"{kind} in {place}{layer}"


def _layer_in(variables: Mapping[str, object]) -> str:
    """Return the name of the layer that a function of hls4ml works on; empty if there is none."""
    own = variables.get("self")
    # hls4ml's layers have this attribute; other objects of it have names as well.
    candidates = [variables.get("layer"), variables.get("node")]
    candidates += [own] if hasattr(type(own), "class_name") else []
    names = (getattr(one, "name", None) for one in candidates)
    return next((name for name in names if isinstance(name, str)), "")


def convert_by_hls4ml(
    model: keras.Model,
    folder: Path,
    part: str,
    clock_period_ns: float,
    backend: str = "Vitis",
    choices: FirmwareChoices | None = None,
) -> str:
    """Write an hls4ml project of a quantised network, and return what hls4ml printed."""
    import hls4ml

    choices = choices or FirmwareChoices()

    model = without_slices(model)
    strategies = _strategies(choices, model)
    printed = io.StringIO()
    with (
        redirect_stdout(printed),
        warnings.catch_warnings(),
        _mended_hls4ml(),
        exact_da4ml(),
        widths_in_hls4ml(),
        distributed_in_hls4ml(),
        attention_in_hls4ml(),
        readable_by_hls4ml(),
        plain_names(model),
    ):
        warnings.simplefilter("ignore")
        project = hls4ml.converters.convert_from_keras_model(
            model,
            output_dir=str(folder),
            project_name=PROJECT,
            backend=backend,
            io_type=choices.io_type,
            part=part,
            clock_period=clock_period_ns,
            hls_config=_configuration(choices, model, strategies),
        )
        project.write()
        for layer in project.get_layers():
            if layer.get_attr("strategy") == "distributed_arithmetic":
                printed.write(f"{_HANDED_ON}{layer.name}\n")
        for operation, (_, is_replaced) in zip(model.operations, strategies, strict=True):
            if is_replaced:
                printed.write(f"{_NO_RESOURCE}{operation.name}\n")
    _mend_resizing(folder / "firmware/nnet_utils/nnet_image.h")
    return OwnNames.of(model).restore(printed.getvalue())


def _strategies(
    choices: FirmwareChoices, model: keras.Model
) -> list[tuple[LayerChoices | None, bool]]:
    """Return for each operation of a network what is chosen of it alone, if anything is.

    Beside it stands whether its strategy is another one than was chosen.
    """
    found: list[tuple[LayerChoices | None, bool]] = []
    for operation in model.operations:
        own = choices.layers.get(operation.name)
        strategy = (own and own.strategy) or choices.strategy
        is_replaced = strategy == "resource" and _LATENCY_ONLY in type(operation).__name__
        if is_replaced:
            reuse_factor = None if own is None else own.reuse_factor
            own = LayerChoices(strategy="latency", reuse_factor=reuse_factor)
        found.append((own, is_replaced))
    return found


def _configuration(
    choices: FirmwareChoices,
    model: keras.Model,
    strategies: Sequence[tuple[LayerChoices | None, bool]],
) -> dict[str, Any]:
    """Return hls4ml's configuration, with the names that the layers have while it translates."""
    layers = {
        operation.name: {
            "Strategy": own.strategy or choices.strategy,
            "ReuseFactor": own.reuse_factor or choices.reuse_factor,
        }
        for operation, (own, _) in zip(model.operations, strategies, strict=True)
        if own is not None
    }
    whole = {
        # No width is given by the configuration: all of them come from the network.
        "Precision": "fixed<-1,0>",
        "ReuseFactor": choices.reuse_factor,
        "Strategy": choices.strategy,
    }
    return {"Model": whole, **({"LayerName": layers} if layers else {})}


def _mend_resizing(header: Path) -> None:
    """Let a layer that repeats values write them as another type, as all other layers do."""
    text = header.read_text()
    text = text.replace(
        "CONFIG_T>\nvoid resize_nearest", "CONFIG_T, class res_T>\nvoid resize_nearest"
    )
    header.write_text(text.replace("data_T resized", "res_T resized"))


@contextmanager
def _mended_hls4ml() -> Iterator[None]:
    """Mend four places in which hls4ml 1.3.0 computes something else than the network.

    It merges a second quantiser in a row into the type of the first one's result, with the narrower
    word and the second one's rounding (and warns of it): an input that is cut and then saturated
    comes out rounded. Left alone, the second one becomes a layer of its own, which is exact.

    It merges a quantiser into a reshape in front of it, which is another name of the same values:
    where something else reads them too, nothing is quantised any more.

    It takes bits after the point off a saturating word where the values have fewer, also where they
    saturate: the largest value comes out smaller. For words that wrap it looks whether the word's
    ends matter; here it does so for those that saturate as well.

    It reads the layer `ReLU` as one with a threshold, of which it does not follow the widths.
    """
    from hls4ml.converters.keras_v3.core import ReLUHandler
    from hls4ml.model.layers import Reshape, Transpose
    from hls4ml.model.optimizer.passes.bit_exact import (
        _produce_kif,
        get_input_layers,
        get_output_layers,
    )
    from hls4ml.model.optimizer.passes.hgq_proxy_model import (
        FixedPointQuantizer,
        FuseFixedPointQuantizer,
    )

    fuse = FuseFixedPointQuantizer.transform
    produce = _produce_kif.dispatch(FixedPointQuantizer)
    read_relu = ReLUHandler.handle

    def fuse_first(self: object, model: object, node: object) -> bool:
        source = get_input_layers(node)[0]
        while isinstance(source, Reshape | Transpose) and get_input_layers(source):
            source = get_input_layers(source)[0]
            if len(get_output_layers(source)) > 1:
                return False
        if source.attributes.get("_result_t_propagated", False):
            return False
        return bool(fuse(self, model, node))

    def keep_ends(layer: FixedPointQuantizer) -> object:
        saturation, layer.SAT = layer.SAT, "WRAP"
        try:
            return produce(layer)
        finally:
            layer.SAT = saturation

    def read_plain_relu(self: object, layer: object, *tensors: object) -> object:
        (config,) = read_relu(self, layer, *tensors)
        if config.get("class_name") == "ThresholdedReLU" and not config.get("activ_param"):
            del config["activ_param"]
            config |= {"class_name": "Activation", "activation": "relu"}
        return (config,)

    FuseFixedPointQuantizer.transform = fuse_first
    ReLUHandler.handle = read_plain_relu
    _produce_kif.register(FixedPointQuantizer, keep_ends)
    try:
        yield
    finally:
        FuseFixedPointQuantizer.transform = fuse
        ReLUHandler.handle = read_relu
        _produce_kif.register(FixedPointQuantizer, produce)
