"""The corpus: importing this package fills the table of attacks."""

from tests.hostile.attacks import (  # noqa: F401 each adds its attacks
    early,
    files,
    graph,
    kernel,
    mixing,
    names,
    network,
    output,
    processes,
    report,
    resources,
    results,
    scores,
)
