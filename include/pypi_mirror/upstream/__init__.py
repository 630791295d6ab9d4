"""The index we copy from: its changelog, its root index and its project pages.

``changelog`` and ``root_index`` are the few control calls of a run; ``project_pages`` is bulk work over a
:class:`~pypi_mirror.transport.Transport`. ``simple_json`` and ``simple_html`` turn wire formats into
:mod:`pypi_mirror.model` values; nothing unchecked leaves this package.
"""
