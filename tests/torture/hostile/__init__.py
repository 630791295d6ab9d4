"""An upstream that means harm, as data: what it answers (``projects``, ``indexes``), and how (``server``).

``run`` syncs a mirror of it in a process whose memory is measured, ``judge`` looks at what that left.
"""
