"""Submissions: what they are, their network, and the steps that run their code in a sandbox."""
