"""What a challenge is: its events, split, working points, target and rules.

These are the values of `data_manifest.yaml`. Nothing else in the harness knows how many objects
an event holds or which signals there are.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from harness.challenge.declared import (
    LEARNING_TITLES,
    NOT_SUPERVISED,
    Learning,
    Method,
    SignalsSeen,
)
from harness.challenge.layout import (
    ADC2021_BYTES,
    AnyLayout,
    ConstituentLayout,
    EventLayout,
    FeatureUnits,
    ImageLayout,
    ObjectGroup,
    events_within,
    in_turn,
)
from harness.challenge.merit import (
    AGGREGATE_TITLES,
    MERIT_KINDS,
    AddedEfficiencyAtRate,
    Aggregate,
    AreaUnderCurve,
    EfficiencyAtRate,
    MaxSic,
    Merit,
    MistagAtTpr,
    RejectionAtTpr,
    TprAtFpr,
    fpr_text,
    without_last_digits,
)
from harness.challenge.target import (
    RESOURCE_TITLES,
    AnyTarget,
    Budget,
    CpuTarget,
    Family,
    NoTarget,
    PartTotals,
    StatedTarget,
    Target,
)
from harness.challenge.values import (
    NAME_PATTERN,
    Fraction,
    Name,
    Positive,
    Utc,
    Value,
    instant,
    is_name,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "ADC2021_BYTES",
    "AGGREGATE_TITLES",
    "EVIDENCE_LADDER",
    "LEARNING_TITLES",
    "MERIT_KINDS",
    "NAME_PATTERN",
    "NOT_SUPERVISED",
    "PARTS",
    "RESOURCE_TITLES",
    "SPLITMIX_STEP",
    "Account",
    "AddedEfficiencyAtRate",
    "Aggregate",
    "AnyTarget",
    "AreaUnderCurve",
    "Budget",
    "Challenge",
    "ConstituentLayout",
    "CpuTarget",
    "DataFile",
    "EfficiencyAtRate",
    "EventLayout",
    "Evidence",
    "Family",
    "FeatureUnits",
    "Fraction",
    "ImageLayout",
    "IntakeRules",
    "Learning",
    "MaxSic",
    "Merit",
    "Method",
    "MistagAtTpr",
    "Name",
    "NoTarget",
    "ObjectGroup",
    "Part",
    "PartTotals",
    "Piece",
    "Positive",
    "Preselection",
    "RankingRules",
    "RejectionAtTpr",
    "SignalsSeen",
    "Split",
    "StatedTarget",
    "Target",
    "TprAtFpr",
    "Utc",
    "Value",
    "digest_of_key",
    "events_within",
    "fpr_text",
    "in_turn",
    "instant",
    "is_name",
    "join_checksums",
    "mix64",
    "utc",
    "without_last_digits",
]


Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
# A dataset beside the events that holds one number for each of them.
Column = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}$")]


class Piece(Value):
    """One of several files that hold the events of a process, one after the other.

    The fields are those of `DataFile`.
    """

    name: FileName
    record: str | None = Field(default=None, pattern=r"^[0-9]{1,12}$")
    url: str | None = Field(default=None, max_length=1000)
    checksum: str | None = Field(default=None, pattern=r"^(md5|sha256):[0-9a-f]{32,64}$")
    n_bytes: int | None = Field(default=None, ge=1)
    n_events: int | None = Field(default=None, ge=1)
    part: Part | None = Field(default=None, exclude_if=lambda part: part is None)


def join_checksums(checksums: Sequence[str]) -> str:
    """Return the checksum of several files in their order: the SHA-256 of their checksums."""
    return f"sha256:{hashlib.sha256(' '.join(checksums).encode()).hexdigest()}"


class DataFile(Value):
    """The events of one process of a challenge: one file, or several.

    Attributes
    ----------
    name : str
        File name, as its publisher wrote it; of several files the name of the process.
    role : str
        ``background``, ``signal``, ``hidden`` (a signal kept secret), ``blackbox``, or
        ``variation``: background simulated in another way, for `harness score --stress` alone.
    process : str
        Name of the process that the card and the page use, such as ``ato4l``.
    title : str
        How the process is printed, such as "A → 4ℓ".
    record : str or None
        Zenodo record that holds the file.
    url : str or None
        Where else the file is to be had; ``package:`` names a file shipped with the harness.
    checksum : str or None
        ``algorithm:hex`` or None where none was published.
    n_events : int or None
        Events that the file is known to hold.
    part : str or None
        Of a published split: the part that all events of the file are in.
    pieces : tuple of Piece
        The files, where the process has several. Their number of events and checksum are then
        those of all together, as far as they are known.
    """

    name: FileName
    role: Literal["background", "signal", "hidden", "blackbox", "variation"]
    process: Name
    title: str = Field(min_length=1, max_length=80)
    record: str | None = Field(default=None, pattern=r"^[0-9]{1,12}$")
    url: str | None = Field(default=None, max_length=1000)
    checksum: str | None = Field(default=None, pattern=r"^(md5|sha256):[0-9a-f]{32,64}$")
    n_bytes: int | None = Field(default=None, ge=1)
    n_events: int | None = Field(default=None, ge=1)
    part: Part | None = Field(default=None, exclude_if=lambda part: part is None)
    pieces: tuple[Piece, ...] = Field(default=(), exclude_if=lambda pieces: not pieces)

    @model_validator(mode="before")
    @classmethod
    def _is_named_by_its_process(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("pieces") and "process" in value:
            return {"name": value["process"], **value}
        return value

    @model_validator(mode="after")
    def _is_one_file_or_several(self) -> DataFile:
        if not self.pieces:
            return self
        own = {"record": self.record, "url": self.url, "n_bytes": self.n_bytes, "part": self.part}
        if stated := [name for name, value in own.items() if value is not None]:
            raise ValueError(f"{self.process} has pieces: each of them has its own {stated[0]}")
        if any((piece.url or "").startswith("package:") for piece in self.pieces):
            raise ValueError(f"a piece of {self.process} cannot come with the harness")
        counts = [piece.n_events for piece in self.pieces if piece.n_events is not None]
        sums = [piece.checksum for piece in self.pieces if piece.checksum is not None]
        n_pieces = len(self.pieces)
        self.__dict__["n_events"] = sum(counts) if len(counts) == n_pieces else None
        self.__dict__["checksum"] = join_checksums(sums) if len(sums) == n_pieces else None
        return self

    @property
    def sources(self) -> tuple[DataFile, ...]:
        """The files, each as if it were the only one of its process."""
        if not self.pieces:
            return (self,)
        kept = {"role": self.role, "process": self.process, "title": self.title}
        return tuple(DataFile(**kept, **piece.model_dump()) for piece in self.pieces)

    @property
    def stated_parts(self) -> frozenset[Part]:
        """Parts that the manifest states of its files; ``test`` where a signal states none."""
        rest: Part | None = "test" if self.role in {"signal", "hidden"} else None
        parts = [source.part or rest for source in self.sources]
        return frozenset(part for part in parts if part is not None)


class Preselection(Value):
    """What every event of a data set passed before it was written.

    Attributes
    ----------
    leading : tuple of str
        Kinds of object of which one must reach `leading_pt_gev`.
    object_pt_gev : mapping of object to float
        Least pT of each object of the kind; softer ones are not in the events.
    """

    leading: tuple[Name, ...] = Field(min_length=1)
    leading_pt_gev: Positive
    object_pt_gev: dict[Name, Positive] = Field(default_factory=dict)


class Split(Value):
    """How background events are shared out.

    Attributes
    ----------
    kind : str
        ``hashed``: by a keyed hash of each event's content, into three fractions. ``published``: as
        the files say, each by its `part` or all by `index`.
    key : str
        Of the hash, which also orders the events of a published split.
    index : str or None
        Of a published split: the dataset that says the part of each event, 0, 1 or 2 for training,
        validation and test.
    """

    kind: Literal["hashed", "published"] = Field(
        default="hashed", exclude_if=lambda kind: kind == "hashed"
    )
    key: str = Field(min_length=1, max_length=64)
    train: Fraction = 0.0
    validation: Fraction = 0.0
    test: Fraction = 0.0
    index: Column | None = Field(default=None, exclude_if=lambda index: index is None)

    @model_validator(mode="after")
    def _sums_to_one(self) -> Split:
        if self.kind == "published":
            if self.train or self.validation or self.test:
                raise ValueError("a published split has no fractions: the files say their parts")
            return self
        if self.index is not None:
            raise ValueError("index belongs to a split of the kind published")
        if abs(self.train + self.validation + self.test - 1.0) > 1e-9:
            total = self.train + self.validation + self.test
            raise ValueError(f"train + validation + test is {total:g}, not 1")
        return self

    @property
    def key_digest(self) -> str:
        """What cards say of the key."""
        return digest_of_key(self.key)


_KEY_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of_key(key: str) -> str:
    """Return the digest of a split's key; whoever has the key can share out the events as we do.

    Cards once held the key itself. A digest stays as it is: no key is as long.

    Examples
    --------
    >>> digest_of_key("sample-1")[:16], digest_of_key(digest_of_key("sample-1"))[:16]
    ('sha256:0899cd856', 'sha256:0899cd856')
    """
    if _KEY_DIGEST.fullmatch(key):
        return key
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


Evidence = Literal["estimate", "rtl", "csynth", "post_route"]
# The ladder of evidence, weakest first.
EVIDENCE_LADDER: tuple[Evidence, ...] = ("estimate", "rtl", "csynth", "post_route")


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError("must rise strictly")
    return values


FormerMetric = Literal["geometric_mean_tpr", "mean_tpr", "lowest_tpr"]


class RankingRules(Value):
    """Who is ranked, and by what.

    Attributes
    ----------
    aggregate : str
        How the figures of merit of the signals become one, none of them worse than by chance: their
        geometric mean, arithmetic mean, median, the mean of their worst quarter, the worst of them,
        or that of a single signal. Where it is not stated, `metric` is the older name of three of
        them.
    signal_weights : mapping of signal to float
        Weights of the means; empty: every signal weighs the same. Where it is not empty only the
        signals named in it count.
    require_second_translator : bool
        Whether a second translator must have checked the scores of every layer on its own.
    learning : tuple of str
        Kinds of learning that are ranked. An entry that does not state its kind is ranked where
        every kind but ``supervised`` is.
    reference_methods : tuple of str
        Methods whose entries are references of the contest: shown, never ranked.
    tie_break : str
        What ranks entries that are equal in merit, mean AUC, latency and LUT. ``shared``: they
        share the rank. ``received``: the one that was received first is before the others.
    deadline : str or None
        Submissions received later do not count.
    retracted : mapping of card to str
        Cards that the organiser took back, by ``<team>/<file name without its ending>``, with
        the reason; they stay listed.
    """

    metric: FormerMetric | None = "geometric_mean_tpr"
    aggregate: Aggregate | None = Field(default=None, exclude_if=lambda name: name is None)
    signal_weights: dict[Name, Positive] = Field(default_factory=dict)
    accepted_evidence: tuple[Evidence, ...] = ("rtl", "csynth", "post_route")
    accept_handed_in: bool = False
    require_second_translator: bool = False
    learning: Annotated[tuple[Learning, ...], Field(min_length=1)] = NOT_SUPERVISED
    reference_methods: tuple[Method, ...] = ()
    tie_break: Literal["shared", "received"] = "shared"
    resource_classes_lut: Annotated[tuple[int, ...], AfterValidator(_ascending)] = (
        1_000,
        10_000,
        100_000,
    )
    deadline: Utc | None = None
    retracted: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _is_said_once(cls, value: object) -> object:
        if not isinstance(value, dict) or value.get("aggregate") is None:
            return value
        if value.get("metric") is not None:
            raise ValueError("it has both metric and aggregate: metric is the older name")
        return {**value, "metric": None}

    @property
    def combines_by(self) -> Aggregate:
        """How the figures of merit of the signals become one."""
        return self.aggregate or _METRICS[self.metric or "geometric_mean_tpr"]

    @model_validator(mode="after")
    def _weighs_what_it_can(self) -> RankingRules:
        weights = self.signal_weights
        if self.combines_by == "single" and len(weights) != 1:
            raise ValueError("aggregate single: signal_weights names the one signal that counts")
        has_means = self.combines_by in {"geometric_mean", "mean"}
        if not has_means and len(set(weights.values())) > 1:
            raise ValueError(f"aggregate {self.combines_by} takes no weights: give each signal 1")
        return self


# What `aggregate` was called before there were other merits than a TPR.
_METRICS: dict[FormerMetric, Aggregate] = {
    "geometric_mean_tpr": "geometric_mean",
    "mean_tpr": "mean",
    "lowest_tpr": "worst",
}


# A name by which a forge such as GitHub or GitLab knows an account; robots' end in ``[bot]``.
Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(\[bot\])?$")]


class IntakeRules(Value):
    """Which pull requests are scored, and how often.

    Attributes
    ----------
    ownership : str
        ``owners``: a team's folder may be changed only by the accounts that its `submission.yaml`
        named before the change, and a new one has to name the account that brings it.
        ``anyone``: by all.
    maintainers : tuple of account
        May change every folder.
    max_submissions : int
        Submissions that one pull request may change.
    max_private_per_day : int
        Scorings on a private challenge that a team has in one day of UTC. Runs that failed by the
        platform's fault do not count.
    """

    ownership: Literal["owners", "anyone"] = "owners"
    maintainers: tuple[Account, ...] = ()
    max_submissions: int = Field(default=3, ge=1, le=100)
    max_private_per_day: int = Field(default=3, ge=1, le=1000)


class Challenge(Value):
    """One version of one data set with the rules of scoring on it.

    Attributes
    ----------
    merit : Merit or None
        What is ranked, of each signal; None: the TPR at `working_point`.
    menu : str or None
        The dataset beside the events that says which of them the menu of the trigger accepts.
    targets : tuple of StatedTarget
        What an entry is judged on; one is the gate. A manifest with one target may write `target`.
    training_signals : bool
        Whether signals may have a training part, which `harness.data.training_events` gives.
    private : str
        What everybody sees before a private challenge is opened. ``public_parts``: the cards
        without hidden signals. ``until_open``: nothing.
    """

    name: Name
    title: str = Field(min_length=1, max_length=120)
    version: str = Field(min_length=1, max_length=40)
    description: str = Field(default="", max_length=2000)
    synthetic: bool
    licence: str = Field(min_length=1, max_length=80)
    private: Literal["public_parts", "until_open"] = "public_parts"
    references: tuple[str, ...] = ()
    layout: AnyLayout
    preselection: Preselection | None = None
    files: tuple[DataFile, ...] = Field(min_length=1)
    split: Split
    seed: int = Field(ge=0, lt=2**63)
    false_positive_rates: Annotated[tuple[Positive, ...], AfterValidator(_ascending)]
    working_point: Positive
    merit: Merit | None = None
    menu: Column | None = None
    training_signals: bool = Field(default=False, exclude_if=lambda is_so: not is_so)
    collision_rate_hz: Positive = 40e6
    targets: tuple[StatedTarget, ...] = Field(default=(), validate_default=True)
    # Stands in the manifest where there is one target; it becomes the first of `targets`.
    only_target: AnyTarget | None = Field(default=None, validation_alias="target", exclude=True)
    ranking: RankingRules = Field(default_factory=RankingRules)
    intake: IntakeRules = Field(default_factory=IntakeRules)

    @model_validator(mode="before")
    @classmethod
    def _reads_one_target(cls, value: object) -> object:
        """Read `target`, the one gate of most challenges, as a list of targets."""
        if not isinstance(value, dict) or value.get("target") is None:
            return value
        if "targets" in value:
            raise ValueError("it has both target and targets")
        others = {name: one for name, one in value.items() if name != "target"}
        return {**others, "targets": [value["target"]]}

    @field_validator("targets")
    @classmethod
    def _has_one_gate(cls, targets: tuple[StatedTarget, ...]) -> tuple[StatedTarget, ...]:
        if not targets:
            raise ValueError("one target at least; `kind: none` is one")
        names = [target.name for target in targets]
        if len(set(names)) != len(names):
            raise ValueError(f"two targets are named {max(names, key=names.count)}")
        if len(targets) == 1:
            return (targets[0].model_copy(update={"gate": True}),)
        gates = [target.name for target in targets if target.gate]
        if len(gates) != 1:
            found = " and ".join(gates) or "none"
            raise ValueError(f"one target is the gate (gate: true), here {found}")
        return targets

    @model_validator(mode="after")
    def _is_consistent(self) -> Challenge:
        names = [source.name for file in self.files for source in file.sources]
        processes = [file.process for file in self.files]
        if len(set(names)) != len(names) or len(set(processes)) != len(processes):
            raise ValueError("two files share a name or a process")
        if not any(file.role == "background" for file in self.files):
            raise ValueError("no file has the role background")
        if self.working_point not in self.false_positive_rates:
            raise ValueError("working_point is not among false_positive_rates")
        if (fpr := getattr(self.merit, "fpr", self.working_point)) != self.working_point:
            raise ValueError(f"merit is at FPR {fpr:g}, working_point is {self.working_point:g}")
        if isinstance(self.merit, AddedEfficiencyAtRate) and self.menu is None:
            raise ValueError(
                "merit added_efficiency_at_rate needs menu: the dataset of the files that says "
                "which events the menu of the trigger accepts"
            )
        self._check_parts()
        if self.preselection is not None:
            named = {*self.preselection.leading, *self.preselection.object_pt_gev}
            if unknown := named - set(self.layout.slots):
                raise ValueError(f"preselection names {', '.join(sorted(unknown))}")
            if lacking := self.layout.lacks("pt"):
                raise ValueError(f"preselection is by pT; {lacking}")
        return self

    @property
    def target(self) -> AnyTarget:
        """The limits that an entry must keep to be ranked: those of the gate."""
        return next(target.limits for target in self.targets if target.gate)

    @property
    def other_targets(self) -> tuple[StatedTarget, ...]:
        """Targets against which an entry is judged as well."""
        return tuple(target for target in self.targets if not target.gate)

    @property
    def fpga(self) -> Target | None:
        """The FPGA that firmware is made for: the gate, or else the first of the targets."""
        limits = (self.target, *(target.limits for target in self.other_targets))
        return next((one for one in limits if isinstance(one, Target)), None)

    def _check_parts(self) -> None:
        """Refuse files whose parts do not fit the split."""
        split = self.split
        sources = [source for file in self.files for source in file.sources]
        stated = [source for source in sources if source.part is not None]
        if split.kind == "hashed" and stated:
            raise ValueError(f"{stated[0].name} has a part, but the split is hashed")
        if split.kind == "hashed":
            return
        background = [source for source in sources if source.role == "background"]
        without = [source.name for source in background if source.part is None]
        if split.index is None and without:
            raise ValueError(f"split published: {without[0]} has no part and the split no index")
        if not without and all(source.part != "test" for source in background):
            raise ValueError("split published: no background file has the part test")
        of_signals = [source for source in stated if source.role in {"signal", "hidden"}]
        training = [source.process for source in of_signals if source.part != "test"]
        if training and not self.training_signals:
            raise ValueError(
                f"{training[0]} is a signal's training part in an unsupervised challenge; "
                "`training_signals: true` allows it"
            )

    def processes(self, *roles: str) -> tuple[str, ...]:
        """Names of the processes whose files have one of `roles`, in the manifest's order."""
        return tuple(file.process for file in self.files if file.role in roles)

    @property
    def crossing_rate_hz(self) -> float | None:
        """Collisions that the trigger sees; None where nothing says that the events are these.

        The 40 MHz of the LHC stand for events of objects with pT alone.
        """
        is_stated = "collision_rate_hz" in self.model_fields_set
        is_collision = self.layout.kind == "objects" and not self.layout.lacks("pt")
        return self.collision_rate_hz if is_stated or is_collision else None

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the scored signals; training parts are none."""
        return tuple(
            file.process
            for file in self.files
            if file.role in {"signal", "hidden"} and "test" in file.stated_parts
        )


# SplitMix64: the step of its counter and the two multipliers of its finaliser.
SPLITMIX_STEP = 0x9E3779B97F4A7C15
_MIX_A = 0xBF58476D1CE4E5B9
_MIX_B = 0x94D049BB133111EB


def mix64(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of 64-bit words in place; return them.

    The finaliser of SplitMix64, a bijection. Whatever depends on an event alone is made with it:
    the split, the random numbers of variations, the weights of bootstrap replicates.

    References
    ----------
    G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014, doi:10.1145/2660193.2660195.
    """
    words ^= words >> 30
    words *= _MIX_A
    words ^= words >> 27
    words *= _MIX_B
    words ^= words >> 31
    return words
