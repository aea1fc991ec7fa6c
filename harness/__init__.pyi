from harness.card.files import read_card as read_card
from harness.scoring.pipeline import score as score

__version__: str
__all__ = ["__version__", "read_card", "score"]
