"""What an evaluation says when it cannot go on."""


class EvalError(ValueError):
    """A test set, a protocol or a method that cannot be used; one line that names file, key, bound and value."""
