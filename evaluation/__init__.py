"""Scores on named protocols: test sets, methods, metrics, one report."""
