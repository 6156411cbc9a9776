"""What the columns of a data set say of a row."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from license_expression import ExpressionError, ExpressionParseError

from pipeline.licenses import spdx
from pipeline.sources.common import AssetError
from stages.settings import did_you_mean

_NAME_LETTERS, _LICENSE_LETTERS = 60, 100


class Facts(NamedTuple):
    """The words of a row, "" where there are none; `name` is fit to be part of a file name."""

    name: str
    caption: str
    license: str
    attribution: str


class Columns(NamedTuple):
    """Names of columns, "" for none.

    `json.caption` is the field `caption` of the column `json`, unless a column is called just that. `licenses`
    translates what the licence column holds to SPDX expressions.
    """

    image: str
    name: str
    caption: str
    license: str
    attribution: str
    licenses: Mapping[str, str]

    def undecoded(self, stream: Any) -> Any:
        """A `datasets.IterableDataset` with these columns only, in which pictures are bytes or a path.

        Raises AssetError for a column that is not there, or an image column that does not hold pictures.
        """
        import datasets

        # Without this, newer versions decode the pictures of a remote data set ahead, in threads.
        stream = stream.decode(False) if stream.features else stream
        features = stream.features or {k: type(v) for k, v in next(iter(stream), {}).items()}
        words = [w for w in self[1:5] if w]
        heads = {_there(word, features) for word in words}
        _there(self.image, dict.fromkeys(features))  # a field of a column will not do
        kind = features[self.image]
        if not isinstance(kind, datasets.Image) and not _holds_bytes(kind):
            raise AssetError(f"column {self.image!r} holds {_type_name(kind)}, not pictures")
        return stream.select_columns(sorted({self.image, *heads}))

    def facts(self, row: Mapping[str, Any], features: Mapping[str, Any]) -> Facts:
        """The words of a row; a licence is always said where there is a column for it."""
        name, caption, license_, attribution = (_words(row, features, column) for column in self[1:5])
        stem = re.sub(r"[^A-Za-z0-9._]+", "-", name.rpartition("/")[2].rpartition(".")[0] or name).strip("-.")
        expression = self.licenses.get(license_, _expression(license_)) if self.license else ""
        return Facts(f"-{stem[:_NAME_LETTERS]}" if stem else "", caption, expression, attribution)


def _there(column: str, features: Mapping[str, Any]) -> str:
    """The column that a name, or the name of a field in it, speaks of."""
    head, _, field = column.partition(".")
    if column in features:
        return column
    if isinstance(features.get(head), Mapping):
        if field not in features[head]:
            raise AssetError(f"column {head!r} has no field {field!r}{did_you_mean(field, features[head])}")
        return head
    raise AssetError(f"the data set has no column {column!r}{did_you_mean(column, features)}")


def _holds_bytes(kind: Any) -> bool:
    if isinstance(kind, Mapping):
        return _holds_bytes(kind.get("bytes"))
    return getattr(kind, "dtype", "") in ("binary", "large_binary")


def _type_name(kind: Any) -> str:
    if isinstance(kind, type):
        return kind.__name__
    return str(getattr(kind, "dtype", None) or kind)


def _words(row: Mapping[str, Any], features: Mapping[str, Any], column: str) -> str:
    """What a column says, in one line: the first of several texts, the name of a class."""
    if not column:
        return ""
    head, _, field = column.partition(".")
    value = row[column] if column in row else (row.get(head) or {}).get(field)
    if hasattr(features.get(column), "int2str") and value is not None:
        value = features[column].int2str(value)
    if isinstance(value, list):
        value = next(filter(None, value), None)
    return "" if value is None else " ".join(str(value).split())


@cache
def _expression(text: str) -> str:
    """An SPDX expression as it is; any other text as a reference of its own, which no allow-list admits."""
    try:
        if spdx().parse(text, validate=True, strict=True) is not None:
            return text
    except (ExpressionError, ExpressionParseError):
        pass
    return f"LicenseRef-unlisted-{re.sub('[^A-Za-z0-9.]+', '-', text).strip('-')[:_LICENSE_LETTERS] or 'none'}"
