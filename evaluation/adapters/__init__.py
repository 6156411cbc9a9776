"""Readers of test sets, each in the layout its authors publish.

`open_<name>(root, **options)` returns a `Dataset`. A file that is missing, damaged or of another size names itself in
the `Missing` of its item; only a folder of another layout, or a table that lists the items and cannot be read, is an
error. Ids may hold slashes: they are relative paths without suffix.
"""

from collections.abc import Callable

from evaluation.adapters.aim500 import open_aim500
from evaluation.adapters.am2k import open_am2k
from evaluation.adapters.bgmatting import open_bgmatting
from evaluation.adapters.cocoa import open_cocoa
from evaluation.adapters.kins import open_kins
from evaluation.adapters.mulan import open_mulan
from evaluation.adapters.ober import open_ober
from evaluation.adapters.p3m500 import open_p3m500
from evaluation.adapters.plain import open_plain
from evaluation.adapters.ppm100 import open_ppm100
from evaluation.adapters.removalbench import open_removalbench
from evaluation.adapters.rord import open_rord
from evaluation.adapters.shards import open_shards
from evaluation.sample import Dataset

ADAPTERS: dict[str, Callable[..., Dataset]] = {
    "plain": open_plain,
    "shards": open_shards,
    "rord": open_rord,
    "ober": open_ober,
    "removalbench": open_removalbench,
    "bgmatting": open_bgmatting,
    "mulan": open_mulan,
    "aim500": open_aim500,
    "am2k": open_am2k,
    "p3m500": open_p3m500,
    "ppm100": open_ppm100,
    "cocoa": open_cocoa,
    "kins": open_kins,
}
