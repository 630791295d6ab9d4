"""Filters: which projects, releases and files are mirrored.

Pure; one rule a file, composed in ``selector``.
"""

from pypi_mirror.policy.file_filter import FileFilter
from pypi_mirror.policy.selector import Decision, DroppedFile, Refusal, Selector, build_selector

__all__ = ["Decision", "DroppedFile", "FileFilter", "Refusal", "Selector", "build_selector"]
