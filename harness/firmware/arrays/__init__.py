"""Exact scores: a program as operations on arrays of integers, block by block of events."""
