"""A lab on this machine: planned, built, up, and down again.

It imports neither what is said in it (``steps``) nor what is judged (``checks``).
"""
