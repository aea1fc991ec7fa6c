"""What a sandbox can see: the one table of places, environment and devices.

Everything else of the host does not exist in a sandbox: its root is an empty, read-only file
system into which these paths, the step's inputs and its tools are bound. `layout` is the list of
all places, from which `harness.sandbox.bubblewrap` makes its command and with which `harness
doctor` compares what it finds.
"""

from __future__ import annotations

import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import harness

# Where the sandbox puts things; a step receives these places, and a participant may know them.
PACKAGE_ROOT = "/opt/harness"
INPUTS = "/in"
OUTPUTS = "/out"
SCRATCH = "/tmp"  # noqa: S108 the sandbox's own

# The dynamic loader and the C and C++ libraries that Python, NumPy and TensorFlow load.
SYSTEM_LIBRARIES = (
    "/usr/lib/{multiarch}",
    "/usr/lib64",
    "/lib/{multiarch}",
    "/lib64",
    # AArch64 has its loader here; that of x86-64 lies in /lib64.
    "/lib/ld-linux-aarch64.so.1",
    "/etc/ld.so.cache",
)
# How names of machines are looked up, such as that of a licence server.
NAMES = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf")
# No /dev/zero: a shared map of it is memory that outlives the map, and then no process's.
DEVICES = ("/dev/null", "/dev/urandom")

# Folders of the package that nothing in a sandbox needs: events and the parent's own code.
COVERED = ("data",)

# TensorFlow's runtime aborts without /proc/self/exe and cmdline, and its CPU kernels read
# /proc/cpuinfo to choose instructions. These stand-ins replace a procfs, so that nothing of the
# host shows and no container has to unmask its /proc.
CPU_FIELDS = (
    "processor",
    "vendor_id",
    "cpu family",
    "model",
    "model name",
    "stepping",
    "cache size",
    "physical id",
    "siblings",
    "core id",
    "cpu cores",
    "apicid",
    "flags",
    "CPU implementer",
    "CPU architecture",
    "CPU variant",
    "CPU part",
    "CPU revision",
    "Features",
)

# Libraries use this package where it can be imported. Without a procfs it would fail in the middle
# of their work (joblib's worker processes, Keras's loader of weights), so it cannot be imported.
NEEDS_PROC = "psutil"
REFUSAL = b"raise ImportError('it reads /proc, which a sandbox does not have')\n"

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


def environment(home: str) -> dict[str, str]:
    """Return all the environment variables of a step, with its scratch folder as home."""
    return {**ENVIRONMENT, "HOME": home, "TMPDIR": home, "KERAS_HOME": f"{home}/.keras"}


def package_folder() -> Path:
    """Return the folder of the package `harness` that is running."""
    return Path(harness.__file__).resolve().parent


def cpu_description(text: str) -> str:
    r"""Keep of /proc/cpuinfo what describes the processor, not what it is doing.

    Examples
    --------
    >>> cpu_description("processor: 0\ncpu MHz: 3400.1\nflags: fpu sse2\n\n")
    'processor: 0\nflags: fpu sse2\n\n'
    """
    kept = (
        line
        for line in text.splitlines(keepends=True)
        if not line.strip() or line.partition(":")[0].strip() in CPU_FIELDS
    )
    return "".join(kept)


def interpreter() -> tuple[Path, ...]:
    """Return what the running interpreter consists of: executable, libraries and packages."""
    base, prefix = Path(sys.base_prefix), Path(sys.prefix)
    if base in (Path("/usr"), Path("/usr/local")):
        # A system's Python shares its prefix with everything else that is installed.
        paths = sysconfig.get_paths()
        libraries = [paths["stdlib"], paths["platstdlib"], *site.getsitepackages(), _libpython()]
    else:
        libraries = [str(base / "lib")]
    own = [str(prefix / name) for name in ("lib", "lib64", "pyvenv.cfg")] if prefix != base else []
    home = Path(os.path.realpath(sys.executable))
    return tuple(Path(path) for path in (*libraries, *own, str(home), sys.executable) if path)


def _libpython() -> str:
    folder, name = (sysconfig.get_config_var(key) for key in ("LIBDIR", "INSTSONAME"))
    return f"{folder}/{name}" if folder and name else ""


def system_libraries() -> tuple[Path, ...]:
    """Return the host's library folders that exist on this machine."""
    multiarch = sysconfig.get_config_var("MULTIARCH") or "lib"
    return tuple(Path(pattern.format(multiarch=multiarch)) for pattern in SYSTEM_LIBRARIES)


def outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the existing `paths` in order of depth, without those that lie in another one.

    Examples
    --------
    >>> [str(path) for path in outermost([Path("/usr/bin/env"), Path("/usr"), Path("/no/such")])]
    ['/usr']
    """
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda path: (len(path.parts), str(path))):
        if path.exists() and not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return tuple(kept)


def host_paths(tools: Sequence[Path]) -> tuple[Path, ...]:
    """Return every host path that a step with `tools` sees at its own place."""
    return outermost((*system_libraries(), *interpreter(), *tools))


def network_places() -> tuple[Path, ...]:
    """Return what a step that `Step.sees_host` reads of the network: addresses and names.

    The entries of /sys/class/net are links to the folders of the interfaces.
    """
    interfaces = Path("/sys/class/net")
    devices = [path.resolve() for path in sorted(interfaces.glob("*"))]
    return tuple(path for path in (interfaces, *devices, *map(Path, NAMES)) if path.exists())


def refused(bound: Iterable[Path]) -> tuple[str, ...]:
    """Return the file that `REFUSAL` must replace in one of the `bound` folders, if it is there."""
    spec = importlib.util.find_spec(NEEDS_PROC)
    if spec is None or spec.origin is None:
        return ()
    origin = Path(spec.origin)
    # Python imports it by the folder that it was found in here.
    first = sorted(bound, key=lambda folder: not origin.is_relative_to(folder))
    return _seen_at(origin, first)[:1]


def _seen_at(path: Path, bound: Iterable[Path]) -> tuple[str, ...]:
    """Return every place at which the `bound` folders show `path`, without symbolic links in them.

    A package may lie behind a link, and a folder be bound twice: ``lib64`` of an environment is
    often a link to its ``lib``.
    """
    real = Path(os.path.realpath(path))
    roots = [(folder, os.path.realpath(folder)) for folder in bound]
    return tuple(
        str(folder / real.relative_to(root)) for folder, root in roots if real.is_relative_to(root)
    )


def covered(bound: Iterable[Path]) -> tuple[str, ...]:
    """Return the places at which the sandbox must hide what a bound folder would show.

    These are the package's folder of events, at its place in the sandbox, and the package itself
    where it is installed within one of the `bound` folders.
    """
    package = package_folder()
    own = [f"{PACKAGE_ROOT}/harness/{name}" for name in COVERED if (package / name).is_dir()]
    return (*own, *_seen_at(package, bound))


# --- The list of all places -----------------------------------------------------------------------

PlaceKind = Literal[
    "scratch", "folder", "read-only", "writable", "device", "hidden", "contents", "link"
]
# The stand-ins of a procfs: those that are files, by the name of their contents, and the link.
CONTENTS = {"cmdline": "/proc/self/cmdline", "cpuinfo": "/proc/cpuinfo"}
LINKS = {"/proc/self/exe": sys.executable, "/dev/shm": SCRATCH}  # noqa: S108 the sandbox's own


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One place in a sandbox.

    Attributes
    ----------
    path : str
        Where it is in the sandbox.
    kind : str
        ``folder``: of the sandbox's own, holds other places only; ``scratch``: the one that a step
        can fill; ``hidden``: an empty folder over what a bound one would show; ``read-only``,
        ``writable``, ``device``: a path of the host; ``contents``: a file that the parent writes;
        ``link``: a symbolic link.
    source : str
        The host's path, the name of the contents, or what the link says.
    """

    path: str
    kind: PlaceKind
    source: str = ""


def layout(
    host: Sequence[Path], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> tuple[Place, ...]:
    """Return every place of a sandbox, in the order in which they are made.

    Parameters
    ----------
    host : sequence of Path
        Host paths that are seen at their own place: `host_paths`.
    inputs, outputs : mapping of str to Path
        Host paths to be bound at /in/NAME, read-only, and /out/NAME.
    """
    host = outermost(host)
    package = f"{PACKAGE_ROOT}/harness"
    bound = [
        *(Place(path=str(path), kind="read-only", source=str(path)) for path in host),
        Place(path=package, kind="read-only", source=str(package_folder())),
        *(Place(path=device, kind="device", source=device) for device in DEVICES),
        *(
            Place(path=f"{INPUTS}/{name}", kind="read-only", source=str(path))
            for name, path in inputs.items()
        ),
        *(
            Place(path=f"{OUTPUTS}/{name}", kind="writable", source=str(path))
            for name, path in outputs.items()
        ),
    ]
    made = [
        *(Place(path=path, kind="link", source=target) for path, target in LINKS.items()),
        *(Place(path=path, kind="contents", source=name) for name, path in CONTENTS.items()),
    ]
    replaced = [Place(path=path, kind="contents", source="refusal") for path in refused(host)]
    # The scratch folder first, because bound paths may lie below it.
    return (
        Place(path=SCRATCH, kind="scratch"),
        *(Place(path=path, kind="folder") for path in _parents([*bound, *made])),
        *bound,
        *(Place(path=path, kind="hidden") for path in covered(host)),
        *replaced,
        *made,
    )


def _parents(places: Iterable[Place]) -> list[str]:
    """Return the folders that hold the `places`, outer ones first, but the root and the scratch."""
    parents = {parent for place in places for parent in Path(place.path).parents if parent.name}
    parents |= {Path(INPUTS), Path(OUTPUTS)}
    wanted = parents - {Path(SCRATCH)}
    return [str(path) for path in sorted(wanted, key=lambda path: (len(path.parts), str(path)))]
