"""An upstream that means harm, as data.

What it answers: ``projects``, with ``combinations`` and ``mixtures`` of what is wrong; ``changes`` from run
to run; ``indexes``, their ``numbers`` and ``markup``. How it answers: ``server``. ``run`` syncs a mirror of
it in a process whose memory is measured, on a ``ground``. ``judge`` looks at what that left, ``verdicts`` at
what each case has cost.
"""
