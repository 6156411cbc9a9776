"""What self-contained pages need: JSON that is safe inside them, and the hashes of what they may run."""

import base64
import hashlib
from typing import Any

import orjson

# what could end the element that holds the JSON, or open a comment in it; all are legal escapes within its strings
_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def safe_json(value: Any) -> str:
    """JSON that stays JSON inside a `<script>` element, whatever its strings hold."""
    return orjson.dumps(value).decode().translate(_ESCAPES)


def source_hash(text: str) -> str:
    """How a Content-Security-Policy names a script or style by its text (W3C CSP Level 3, section 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
