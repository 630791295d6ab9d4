"""What is wrong on the disk: looks at files, pages and directories, compares, and changes nothing.

Steps decide what to do about it (``steps/audit.py``); a page or file is made again by the same code as in a
sync.
"""
