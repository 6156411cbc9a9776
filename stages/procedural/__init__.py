"""Procedural objects: signed distance programs (data), one interpreter, one shader."""
