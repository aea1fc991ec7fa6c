"""Make the embedded sample from full-precision HDF5 files in the layout of ADC2021.

python -m tools.make_sample build FOLDER --out harness/data/files/sample.events
python -m tools.make_sample compare FOLDER --sample harness/data/files/sample.events

`build` writes the sample and, beside it, how its files were made; decodes it again, compares every
event with the quantised original, and prints the manifest's entries. `compare` prints AUC and TPR
of two simple scores on the sample and on the full-precision files, with their intervals.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, poisson, rankdata

from harness.challenge import Challenge
from harness.data.manifest import load_manifest
from harness.data.sample import SampleMember, decode_member, read_members, write_sample
from harness.data.sample_coding import dequantise, quantise
from harness.data.split import event_hashes, is_in_part
from harness.metrics.scores import RankedScores
from harness.metrics.working_point import count_allowed, set_cut
from harness.simulate.provenance import Provenance, read_provenance
from tools.pages import table
from tools.sample_recipe import RUNS

# The hard limit on the file, in bytes.
MAX_BYTES = 30_000_000
CHUNK_EVENTS = 2**18


def read_chunks(path: Path) -> Iterator[NDArray[np.float32]]:
    """Read (n, 19, 3) float32 events, chunk by chunk."""
    with h5py.File(path) as file:
        particles = file["Particles"]
        for start in range(0, len(particles), CHUNK_EVENTS):
            yield particles[start : start + CHUNK_EVENTS, :, :3].astype(np.float32)


def build(folder: Path, out: Path, challenge: Challenge) -> None:
    """Write the sample to `out` and check it against the files in `folder`."""
    chunks = [(run.process, map(quantise, read_chunks(folder / run.file_name))) for run in RUNS]
    write_sample(out, challenge.layout, chunks)
    n_bytes = out.stat().st_size
    print(f"{out}: {n_bytes:,} bytes")
    if n_bytes > MAX_BYTES:
        sys.exit(f"larger than {MAX_BYTES:,} bytes")
    known = {run.process: read_provenance(folder / run.file_name) for run in RUNS}
    out.with_name(f"{out.stem}.provenance.json").write_text(provenance_text(known), "utf-8")
    for run, member in zip(RUNS, read_members(out, challenge.layout), strict=True):
        n_test, n_repeated = check(folder / run.file_name, out, member, challenge)
        print(f"      # {n_test:,} test events; {n_repeated:,} repeat an earlier event")
        print(f"      - name: {run.process}.events")
        print(f"        role: {run.role}")
        print(f"        process: {run.process}")
        print(f"        title: {run.title}")
        print(f"        url: package:{out.name}")
        print(f"        checksum: {member.checksum}")
        print(f"        n_events: {member.n_events}")


def provenance_text(known: Mapping[str, Provenance | None]) -> str:
    """Write how the files of processes were made, in the order of the files' names."""
    found = {}
    for run in sorted(RUNS, key=lambda run: run.file_name):
        if provenance := known.get(run.process):
            found[run.process] = provenance.model_dump(mode="json")
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def check(path: Path, sample: Path, member: SampleMember, challenge: Challenge) -> tuple[int, int]:
    """Compare the decoded events with the original; count test events and repeated events."""
    hashes: list[NDArray[np.uint64]] = []
    decoded = decode_member(sample, member, challenge.layout)
    for original, events in zip(read_chunks(path), decoded, strict=True):
        dense = np.asarray(events)
        if not np.array_equal(dequantise(quantise(original)), dense):
            sys.exit(f"{member.process}: decoded events differ from the quantised originals")
        check_precision(original, dense)
        hashes.append(event_hashes(dense, challenge.split.key))
    all_hashes = np.concatenate(hashes)
    n_repeated = len(all_hashes) - len(np.unique(all_hashes))
    return int(is_in_part(all_hashes, challenge.split, "test").sum()), n_repeated


def check_precision(original: NDArray[np.float32], events: NDArray[np.float32]) -> None:
    """Check the promises made for quantised events."""
    difference = np.abs(events - original).max(axis=(0, 1))
    promises = {
        "pT within 1/4 GeV (1/8 but for objects below one step)": difference[0] <= 0.25,
        "angles within 1/256": (difference[1:] <= 1 / 256 + 1e-6).all(),
        "same slots filled": ((events[..., 0] > 0) == (original[..., 0] > 0)).all(),
        "|phi| <= pi": (np.abs(events[..., 2]) <= np.pi).all(),
    }
    broken = [name for name, is_kept in promises.items() if not is_kept]
    if broken:
        sys.exit(f"not kept: {', '.join(broken)}")


def sum_pt(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum pT over all objects, the missing energy among them."""
    total: NDArray[np.float64] = events[..., 0].sum(axis=1, dtype=np.float64)
    return total


def leading_lepton_pt(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the pT of the leading electron or muon."""
    leading: NDArray[np.float64] = events[:, 1:9, 0].max(axis=1).astype(np.float64)
    return leading


SCORES = {"sum of pT": sum_pt, "leading lepton pT": leading_lepton_pt}


def compare(folder: Path, sample: Path, challenge: Challenge) -> None:
    """Print AUC and TPR of `SCORES` on the same test events at both precisions."""
    members = {member.process: member for member in read_members(sample, challenge.layout)}
    scores = {
        run.process: test_scores(folder / run.file_name, sample, members[run.process], challenge)
        for run in RUNS
    }
    fpr = challenge.working_point
    rows = []
    for name in SCORES:
        background = scores["background"][name]
        for run in RUNS[1:]:
            pairs = list(zip(scores[run.process][name], background, strict=True))
            aucs = [format_auc(*pair) for pair in pairs]
            tprs = [format_tpr(*pair, fpr) for pair in pairs]
            rows += [(name, run.title, "AUC", *aucs), (name, run.title, f"TPR at {fpr:g}", *tprs)]
    header = ("score", "signal", "figure", "sample", "full precision")
    print(table(header, rows, n_words=len(header)), end="")


def test_scores(
    path: Path, sample: Path, member: SampleMember, challenge: Challenge
) -> dict[str, NDArray[np.float64]]:
    """Score test events at both precisions; for each score, shape (2, n): sample, full."""
    gathered: dict[str, list[NDArray[np.float64]]] = {name: [] for name in SCORES}
    decoded = decode_member(sample, member, challenge.layout)
    for original, events in zip(read_chunks(path), decoded, strict=True):
        is_test = np.ones(len(events), np.bool_)
        if member.process == "background":
            hashes = event_hashes(events, challenge.split.key)
            is_test = is_in_part(hashes, challenge.split, "test")
        for name, score in SCORES.items():
            gathered[name].append(np.stack([score(events[is_test]), score(original[is_test])]))
    return {name: np.concatenate(parts, axis=1) for name, parts in gathered.items()}


def format_auc(signal: NDArray[np.float64], background: NDArray[np.float64]) -> str:
    """Write the AUC with its 95 % interval.

    J. A. Hanley and B. J. McNeil, doi:10.1148/radiology.143.1.7063747.
    """
    ranks = rankdata(np.concatenate([signal, background]))[: len(signal)]
    n, m = len(signal), len(background)
    auc = (ranks.sum() - n * (n + 1) / 2) / (n * m)
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (n - 1) * (q1 - auc**2) + (m - 1) * (q2 - auc**2)
    half = 1.96 * np.sqrt(variance / (n * m))
    return f"{auc:.4f} ({auc - half:.4f} to {auc + half:.4f})"


def format_tpr(signal: NDArray[np.float64], background: NDArray[np.float64], fpr: float) -> str:
    """Write the TPR with a conservative 95 % interval.

    The threshold's uncertainty by order statistics of the background, the signal's after Clopper
    and Pearson, each at 97.5 %.
    """
    ranked = RankedScores(ascending=np.sort(background), n_events=len(background))
    k = count_allowed(fpr, len(background))
    # How many background events lie above the true threshold is Poisson with mean ~ k.
    low, high = int(poisson.ppf(0.0125, k)), int(poisson.ppf(0.9875, k))
    n = len(signal)
    passing = count_passing(signal, ranked, k)
    fewest, most = count_passing(signal, ranked, low), count_passing(signal, ranked, high)
    lower = beta.ppf(0.0125, fewest, n - fewest + 1) if fewest else 0.0
    upper = beta.ppf(0.9875, most + 1, n - most)
    return f"{passing / n:.3%} ({lower:.3%} to {upper:.3%})"


def count_passing(signal: NDArray[np.float64], background: RankedScores, n_allowed: int) -> int:
    """Count signal events that pass the cut which at most `n_allowed` background events pass."""
    cut = set_cut(background, max(1, n_allowed))
    return cut.n_passing(RankedScores(ascending=np.sort(signal), n_events=len(signal)))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("folder", type=Path)
    building.add_argument("--out", type=Path, required=True)
    comparing = commands.add_parser("compare")
    comparing.add_argument("folder", type=Path)
    comparing.add_argument("--sample", type=Path, required=True)
    arguments = parser.parse_args()
    challenge = load_manifest().challenge("sample")
    if arguments.command == "build":
        build(arguments.folder, arguments.out, challenge)
    else:
        compare(arguments.folder, arguments.sample, challenge)


if __name__ == "__main__":
    main()
