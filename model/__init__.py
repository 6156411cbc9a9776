"""The adapted inpainting DiT. Meets the data engine only in the shards."""
