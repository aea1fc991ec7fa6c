"""What the files of the release are called and hold: the one table that reader and writer share.

A *collection* is a folder of Parquet files in the Zenodo record, and a prefix of column names on
the Hub: ``jets/*.parquet`` with the column ``jetIEt`` there is the column ``jets_jetIEt`` here. All
columns of collections are lists; those of an energy sum have one entry. What else an event has is
beside: on the Hub as plain columns, in the record as the collections `EVENT_INFO` and `SEEDS`,
whose columns are lists of one entry, but for those of `FLAT_COLUMNS`.

Capacities and steps are those of the challenge's layout, saturated codes are its rules for reading
(``data_manifest.yaml``). None of this was tried on the real files: it was read in the description
of the release and in the source of the program that wrote it.

References
----------
CMS Collaboration, "Trigger Anomaly Detection for New Physics at the Large Hadron Collider",
doi:10.5281/zenodo.21787779; its files were written by https://github.com/bb511/adl1t_datamaker,
commit 16dcaac (``docs/README.md``, ``publish/huggingface.py``, ``publish/card.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """One kind of object in the files.

    Attributes
    ----------
    name : str
        Of the folder, and before the underscore of a column.
    kind : str
        The kind of object in the challenge's layout, which says capacity and steps.
    branches : mapping of feature to str
        The column of each feature; a feature that is left out is 0, such as the eta of a sum.
    n_bits : mapping of feature to int
        Bits of the codes; those of pt and phi are unsigned, that of eta has a sign. A pT of all
        ones is saturated.
    others : mapping of str to str
        Columns that the files have beside, and their type; they are not read.
    """

    name: str
    kind: str
    branches: Mapping[str, str]
    n_bits: Mapping[str, int]
    others: Mapping[str, str] = field(default_factory=dict)

    def column(self, branch: str) -> str:
        """Return the name of a branch's column on the Hub."""
        return f"{self.name}_{branch}"


def _missing(name: str) -> Collection:
    return Collection(
        name=name,
        kind=name.lower(),
        branches={"pt": "Et", "phi": "phi"},
        n_bits={"pt": 12, "phi": 8},
    )


# In the order of the rows of an event. Every branch is int16, but for two of `others`.
COLLECTIONS = (
    Collection(
        name="muons",
        kind="muon",
        branches={"pt": "muonIEt", "eta": "muonIEtaAtVtx", "phi": "muonIPhiAtVtx"},
        n_bits={"pt": 9, "eta": 9, "phi": 10},
        others={
            "muonIEta": "int16",
            "muonIPhi": "int16",
            "muonIEtUnconstrained": "int16",
            "muonQual": "uint16",
            "muonChg": "int16",
            "muonTfMuonIdx": "uint16",
        },
    ),
    Collection(
        name="jets",
        kind="jet",
        branches={"pt": "jetIEt", "eta": "jetIEta", "phi": "jetIPhi"},
        n_bits={"pt": 11, "eta": 8, "phi": 8},
        others={"jetHwQual": "int16", "jetRawEt": "int16"},
    ),
    Collection(
        name="egammas",
        kind="egamma",
        branches={"pt": "egIEt", "eta": "egIEta", "phi": "egIPhi"},
        n_bits={"pt": 9, "eta": 8, "phi": 8},
        others={"egIso": "int16"},
    ),
    Collection(
        name="taus",
        kind="tau",
        branches={"pt": "tauIEt", "eta": "tauIEta", "phi": "tauIPhi"},
        n_bits={"pt": 9, "eta": 8, "phi": 8},
        others={"tauIso": "int16"},
    ),
    Collection(
        name="ET", kind="et", branches={"pt": "Et"}, n_bits={"pt": 12}, others={"ETTEM": "int16"}
    ),
    Collection(
        name="HT",
        kind="ht",
        branches={"pt": "Et"},
        n_bits={"pt": 12},
        others={"tower_count": "int16"},
    ),
    _missing("MET"),
    _missing("MHT"),
    _missing("FET"),
    _missing("FHT"),
)

# Collections of the Zenodo record that hold what the Hub has as plain columns.
EVENT_INFO, SEEDS = "event_info", "seeds"
# Numbers of an event, and their types; nPV_True is float32 in recorded data, int32 in simulations.
EVENT_COLUMNS = {
    "run": "uint32",
    "lumi": "uint32",
    "event": "uint64",
    "bx": "uint32",
    "orbit": "uint64",
    "time": "uint64",
    "nPV_True": "float32",
    "split": "string",
    "order": "int64",
}
# Columns that say the same of many events.
TEXT_COLUMNS = frozenset({"split"})
# Columns of `EVENT_INFO` that are plain values in the record too.
FLAT_COLUMNS = frozenset({"split", "order"})
# The place in the published order; negative where the usual preprocessing drops the event.
ORDER = "order"
PILE_UP, RUN = "nPV_True", "run"
# The OR of all algorithms beside it: in `SEEDS` of both layouts, and a plain column of the events.
MENU = "L1bit"
# Columns of the Hub's tables of seeds that are no algorithm.
SEEDS_BESIDE = frozenset({MENU, "dataset", "event", ORDER})
# Algorithms of the menu of recorded data, of simulated data, and those that both have.
N_ALGORITHMS, N_SIMULATED_ALGORITHMS, N_SHARED_ALGORITHMS = 178, 158, 145
# The experiment's own anomaly triggers, which are left out.
ANOMALY_TRIGGERS = ("L1_AXO_", "L1_CICADA_")
# Zero-bias events that the usual preprocessing drops.
N_DROPPED = 457
# Columns of the Hub's tables of events that say where a row is from; the label is int16.
HUB_COLUMNS = {MENU: "bool", "dataset": "string", "label": "int16"}

# The part of a challenge, and how files and folders name it.
PART_NAMES = {"train": "train", "validation": "valid", "test": "test"}
# One of several files: its number, counted from 0, and how many there are.
_NUMBERED = re.compile(r"(.+)-[0-9]{5}-of-([0-9]{5})\.parquet")
# Folders of the Zenodo record, above the data sets.
ZENODO_FOLDERS = ("zerobias", "signal", "background")


def hub_file(data_set: str, part: str, number: int, n_files: int, *, seeds: bool = False) -> str:
    """Return the path of a file on the Hub.

    Parameters
    ----------
    part : str
        A part of the challenge: ``train``, ``validation`` or ``test``.

    Examples
    --------
    >>> hub_file("WtoTauto3Mu", "validation", 0, 2)
    'data/WtoTauto3Mu/valid-00000-of-00002.parquet'
    """
    folder = f"data/{data_set}/{SEEDS}" if seeds else f"data/{data_set}"
    return f"{folder}/{PART_NAMES[part]}-{number:05d}-of-{n_files:05d}.parquet"


def all_of(path: str) -> list[str]:
    """Return the paths of all files of the set that a file of the Hub is one of.

    Nothing for a file that is named in another way.

    Examples
    --------
    >>> all_of("seeds/valid-00001-of-00002.parquet")
    ['seeds/valid-00000-of-00002.parquet', 'seeds/valid-00001-of-00002.parquet']
    """
    named = _NUMBERED.fullmatch(path)
    if named is None:
        return []
    return [f"{named[1]}-{number:05d}-of-{named[2]}.parquet" for number in range(int(named[2]))]
