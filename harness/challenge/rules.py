"""Who is ranked, by what, and which pull requests are scored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from harness.challenge.declared import NOT_SUPERVISED, Learning, Method
from harness.challenge.merit import Aggregate
from harness.challenge.values import Name, Positive, Utc, Value, ascending

Evidence = Literal["estimate", "rtl", "csynth", "post_synth", "post_route"]
# The ladder of evidence, weakest first.
EVIDENCE_LADDER: tuple[Evidence, ...] = ("estimate", "rtl", "csynth", "post_synth", "post_route")


def weakest(evidence: Iterable[Evidence]) -> Evidence:
    """Return the lowest rung of the ladder among some: that of a figure made of several.

    Examples
    --------
    >>> weakest(["rtl", "estimate"])
    'estimate'
    """
    return min(evidence, key=EVIDENCE_LADDER.index)


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
    accepted_evidence: tuple[Evidence, ...] = ("rtl", "csynth", "post_synth", "post_route")
    accept_handed_in: bool = False
    require_second_translator: bool = False
    learning: Annotated[tuple[Learning, ...], Field(min_length=1)] = NOT_SUPERVISED
    reference_methods: tuple[Method, ...] = ()
    tie_break: Literal["shared", "received"] = "shared"
    resource_classes_lut: Annotated[tuple[int, ...], AfterValidator(ascending)] = (
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
    def accepted_for_resources(self) -> tuple[Evidence, ...]:
        """Evidence by which resources are judged.

        LUTs that C synthesis estimates are 3 to 8 times those after logic synthesis (see
        docs/firmware-accuracy.md), so they count only where all entries have them.
        """
        others = tuple(name for name in self.accepted_evidence if name != "csynth")
        return others or self.accepted_evidence

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
