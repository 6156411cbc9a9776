"""Data sets of shards as a stream of batches."""
