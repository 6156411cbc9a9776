"""Explore: `explore.html` beside a build, one page on which its samples are found, taken apart and moved."""

from pipeline.explore.write import explore

__all__ = ["explore"]
