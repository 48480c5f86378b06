"""One run from its file to its verdict, and what may be watched meanwhile.

It does not import ``cli``: it prints nothing.
"""
