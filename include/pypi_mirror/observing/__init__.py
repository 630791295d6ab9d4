"""What people and monitors are shown of a mirror: reads of the ledger, a subject a module.

Nothing here changes anything. Answers are frozen structs that msgspec writes as JSON: times have a time
zone (UTC), sizes are bytes, lists come a page at a time (``paging``). Everything but ``explain``, which asks
upstream, answers in under a second over 800,000 projects and 15,000,000 files.
"""
