"""The ledger: the mirror's own relational database (SQLite by default, PostgreSQL by URL).

:class:`~pypi_mirror.ledger.store.Ledger` opens it and hands out one small object a subject: ``projects``
and their files, the ``plan`` of each run, ``runs``, the ``backlog``, upstream's ``events``, the ``lease``
and a few ``facts``. Each method is one transaction unless it says otherwise.
"""
