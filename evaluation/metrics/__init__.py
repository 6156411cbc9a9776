"""Metrics: pure functions of numpy arrays, one family a file. NaN where a score is not defined."""
