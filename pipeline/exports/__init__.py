"""Exports: the samples of a build as the files that other trainers and paint programs read."""

from pipeline.exports import diffsynth, flux_fill, musubi, ora, plain, psd
from pipeline.exports.common import Format, Sample
from pipeline.exports.run import Exporter

__all__ = ["FORMATS", "Format", "Sample", "export"]

FORMATS: dict[str, Format] = {
    "flux-fill": flux_fill.FORMAT,
    "musubi": musubi.FORMAT,
    "diffsynth": diffsynth.FORMAT,
    "png": plain.FORMAT,
    "ora": ora.FORMAT,
    "psd": psd.FORMAT,
}
"""What `export` writes, by name."""

export = Exporter(FORMATS)
