"""Settings of the tools that run the tests."""

import pytest
from hypothesis import settings

# The audit is many assertions in one place, used by several folders: rewritten, they say what differs. This
# has to come before the first of them imports it.
pytest.register_assert_rewrite("tests.steps.audit")

# By default hypothesis fails an example that takes longer than 200 ms. No test here asserts a time: on a
# busy machine that would only tell how busy it is.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
