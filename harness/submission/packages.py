"""The packages that a submission's code may import, and what to do about one that is not here."""

from __future__ import annotations

from typing import Literal

from harness.errors import install_extra
from harness.files import package_version

Division = Literal["trigger", "open"]

# What the documentation promises, beside the standard library. The extra `open` has the last one.
PROMISED = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "joblib",
    "h5py",
    "tensorflow",
    "keras",
    "HGQ2",
    "onnxruntime",
)
# Packages of which the models can be saved as ONNX, and by what.
_ONNX_EXPORTERS = {
    "torch": "torch.onnx.export",
    "torch_geometric": "torch.onnx.export",
    "lightning": "torch.onnx.export",
    "pytorch_lightning": "torch.onnx.export",
    "jax": "jax2onnx or jax2tf with tf2onnx",
    "flax": "jax2onnx or jax2tf with tf2onnx",
    "haiku": "jax2onnx or jax2tf with tf2onnx",
    "xgboost": "onnxmltools.convert_xgboost",
    "lightgbm": "onnxmltools.convert_lightgbm",
    "catboost": 'save_model(..., format="onnx")',
}


def installed() -> dict[str, str]:
    """Return the version of each promised package that is installed here."""
    versions = {name: package_version(name) for name in PROMISED}
    return {name: version for name, version in versions.items() if version}


def list_installed() -> str:
    """Write the packages and their versions in one line."""
    return ", ".join(f"{name} {version}" for name, version in installed().items())


def advise_missing(module: str, division: Division) -> str:
    """Say what to do about a module that is not installed here.

    Parameters
    ----------
    module : str
        The name that is imported, without what follows a dot.
    division : str
        ``trigger``: the network must be one of Keras. ``open``: any package that is here will do.
    """
    if division == "trigger":
        return "build the network without it, and load its weights; train.py may use what it likes"
    here = f"installed here are the standard library, {list_installed()}"
    exporter = _ONNX_EXPORTERS.get(module)
    if exporter is None:
        return f"score with what is here, and train with what you like; {here}"
    if "onnxruntime" not in installed():
        return (
            f"write the model's arithmetic with NumPy or Keras; or ask the organiser to install "
            f"onnxruntime (`{install_extra('open')}`), and save it as ONNX; {here}"
        )
    return (
        f"save the model as ONNX where you train it, by {exporter}, and score with "
        f'onnxruntime.InferenceSession("model.onnx"); {here}'
    )
