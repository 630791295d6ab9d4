"""Settings of the tools that run the tests."""

from hypothesis import settings

# By default hypothesis fails an example that takes longer than 200 ms. No test here asserts a time: on a
# busy machine that would only tell how busy it is.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
