"""Where a card comes from: the submission, the events, the machine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from harness.card.figures import Count, NotMeasured, Probability, Text
from harness.card.source import SourceCommit
from harness.challenge import (
    AnyTarget,
    Learning,
    Merit,
    Method,
    Name,
    Preselection,
    RankingRules,
    SignalsSeen,
    StatedTarget,
    Utc,
    Value,
    input_rate_khz,
    instant,
)

Digest = Annotated[str, Field(pattern=r"^(sha256|md5):[0-9a-f]{32,64}$")]


IsolationKind = Literal["bwrap", "none"]


# How an entry is scored: a network with its firmware; any Python; or not at all, from a file.
Division = Literal["trigger", "open", "declared"]


DIVISIONS: tuple[Division, ...] = ("trigger", "open", "declared")


class Submitted(Value):
    """What the participants say of their entry, and the digest of the folder that was scored.

    Attributes
    ----------
    learning, signals_seen, method : str or None
        None: not stated, as on all cards that were made before they could be.
    trained_on : tuple of str
        Kinds of data that the weights were made from; empty: not stated.
    received : str or None
        When the organiser received it, which counts for the deadline; None: when it was scored.
    source : SourceCommit or None
        Where the scored folder can be read; None where nobody knows a commit that holds it.
    """

    team: Name
    title: Text
    authors: tuple[Text, ...]
    division: Division
    description: Text
    method: Method | None = None
    method_detail: Text | None = None
    training_data: Text
    trained_on: tuple[Text, ...] = ()
    learning: Learning | None = None
    is_supervised: bool
    signals_seen: SignalsSeen | None = None
    references: tuple[Text, ...]
    licence: Text
    digest: Digest
    received: Utc | None = None
    source: SourceCommit | None = Field(default=None, exclude_if=lambda source: source is None)

    @property
    def stated_learning(self) -> Learning | None:
        """The kind of learning; None where all that was said is that it is not supervised."""
        return "supervised" if self.is_supervised else self.learning


class ScoredFile(Value):
    """A data file that took part, as it was found.

    Attributes
    ----------
    role : str or None
        As in the manifest; figures of a ``hidden`` signal are never shown to the public.
    title : str
        How the process is printed; empty: by its name.
    """

    name: str = Field(max_length=200)
    process: Name
    role: Literal["background", "signal", "hidden", "blackbox"] | None = None
    title: str = Field(default="", max_length=80)
    checksum: Digest
    n_events: Count
    n_scored: Count


def _without_impossible_deadline(rules: object) -> object:
    """Leave out a deadline that is no time: harness once wrote such, and cards load for ever."""
    if isinstance(rules, dict) and isinstance(deadline := rules.get("deadline"), str):
        try:
            instant(deadline)
        except ValueError:
            return {**rules, "deadline": None}
    return rules


class ScoredChallenge(Value):
    """The data and the rules that the scores were made with.

    Attributes
    ----------
    ranking : RankingRules
        The rules as they stood; a board ranks by those of its newest card, or by the manifest's.
    merit : Merit or None
        What is ranked; None: the TPR at the working point.
    target : Target, CpuTarget or NoTarget
        The gate: what does not keep its limits is not ranked.
    split_key : str
        Digest of the split's key, see `harness.challenge.digest_of_key`; old cards hold the key.
    preselection : Preselection or None
        What every event passed; old cards do not say it.
    collision_rate_hz : float or None
        Collisions that the trigger sees; turns a false positive rate into a rate in Hz.
    """

    name: Name
    title: Text
    version: str
    synthetic: bool
    files: tuple[ScoredFile, ...]
    split_key: str
    split_fractions: tuple[Probability, Probability, Probability]
    seed: int
    working_point: Probability
    merit: Merit | None = Field(default=None, exclude_if=lambda merit: merit is None)
    target: AnyTarget
    other_targets: tuple[StatedTarget, ...] = Field(default=(), exclude_if=lambda found: not found)
    ranking: Annotated[RankingRules, BeforeValidator(_without_impossible_deadline)] = Field(
        default_factory=RankingRules
    )
    preselection: Preselection | None = Field(default=None, exclude_if=lambda one: one is None)
    collision_rate_hz: float | None = Field(default=None, gt=0)

    @property
    def is_of_collisions(self) -> bool:
        """Whether the events are collisions, as those of ADC2021 are: texts speak of them then.

        Events whose own rate the merit states were not chosen from collisions.
        """
        is_all = input_rate_khz(self.merit) is not None
        has_rate = self.collision_rate_hz is not None and not is_all
        return has_rate or self.preselection is not None


class IsolationTrial(Value):
    """What was tried of the sandbox on this machine, within a day before the scoring.

    A card is written only where every guard holds.

    Attributes
    ----------
    tried : str
        When, in UTC.
    guards : mapping of str to str
        The guards that were tried, and what each of them was found to keep; after "not tried", a
        part of it that this machine does not let anyone try.
    """

    tried: Utc
    guards: dict[Name, Text]


class IsolationRecord(Value):
    """How untrusted code was kept apart: ``bwrap``, or ``none`` after an explicit ``--unsafe``."""

    kind: IsolationKind
    detail: dict[str, JsonValue] = Field(default_factory=dict)
    trial: IsolationTrial | NotMeasured = NotMeasured(not_measured="not recorded by this scoring")

    @property
    def summary(self) -> str:
        """The kind, whether its guards were tried, and who counted the memory."""
        if isinstance(self.trial, NotMeasured):
            guards = f"guards not tried: {self.trial.not_measured}"
        else:
            guards = f"{len(self.trial.guards)} guards tried at {self.trial.tried}, all hold"
        memory = self.detail.get("memory")
        counted = [f"memory {memory}"] if isinstance(memory, str) else []
        return "; ".join([self.kind, guards, *counted])


class StepUsage(Value):
    """What a stage used."""

    wall_s: float = Field(ge=0)
    cpu_s: float = Field(ge=0)
    peak_memory_bytes: Count


class Environment(Value):
    """What the scorer ran on."""

    harness: str
    git_revision: str | NotMeasured
    python: str
    platform: str
    processor: str
    n_cores: Count
    packages: dict[str, str]
