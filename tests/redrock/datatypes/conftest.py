"""Settings of hypothesis: a shared machine pauses tests at will, so none of them has a deadline of its own."""

from hypothesis import settings

settings.register_profile("redrock", deadline=None)
settings.load_profile("redrock")
