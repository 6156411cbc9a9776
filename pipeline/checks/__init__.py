"""What `validate` checks: the folder, each shard, each sample. One rule name a promise of the sample contract."""

from pipeline.checks.common import RULES, Problem, Tally

__all__ = ["RULES", "Problem", "Tally"]
