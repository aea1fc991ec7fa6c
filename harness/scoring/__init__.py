"""From a submission to its score card: the stages, their order, and the card put together."""
