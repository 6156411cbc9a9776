"""What can be wrong for a user to mend."""


class PublishError(ValueError):
    """What cannot be published, or a Hub that refuses it."""
