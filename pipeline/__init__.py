"""The data engine: sources, assets, plans, shards, checks and reports."""
