"""Pixels: pure functions on numpy arrays. No paths, no network, no Ray, nothing of ours imported."""
