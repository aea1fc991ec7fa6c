from harness import data as data
from harness import plots as plots
from harness.card.files import read_card as read_card
from harness.scoring.declared import compare as compare
from harness.scoring.declared import evaluate as evaluate
from harness.scoring.pipeline import score as score
from harness.scoring.tables import cards as cards
from harness.scoring.tables import leaderboard as leaderboard

__version__: str
__all__ = [
    "__version__",
    "cards",
    "compare",
    "data",
    "evaluate",
    "leaderboard",
    "plots",
    "read_card",
    "score",
]
