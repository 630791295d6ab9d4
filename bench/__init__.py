"""How fast the mirror is: ours, bandersnatch and a shell script side by side over the same upstream.

``make bench`` runs it. Only ratios between runs that followed each other on one machine mean anything.
"""
