"""Counter-based random streams: a draw depends on its name and index only, never on what was drawn before.

Philox is a counter-based generator (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011):
the key picks a stream and the counter a place in it, so workers, order and retries cannot change a draw.
"""

import hashlib

import numpy as np

_MASK64 = (1 << 64) - 1


def hash64(text: str) -> int:
    """First 8 bytes of SHA-256 of `text` as an unsigned integer (stable across machines and Pythons)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def generator(seed: int, stream: str, index: int, attempt: int = 0) -> np.random.Generator:
    """A generator for draw `index` of the named `stream`; `attempt` counts redraws after a rejection.

    Distinct (seed, stream, index, attempt) never overlap: each owns 2^128 Philox blocks.
    """
    key = np.array([seed & _MASK64, hash64(stream)], dtype=np.uint64)
    counter = np.array([0, 0, attempt, index], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
