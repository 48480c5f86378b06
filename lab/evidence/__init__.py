"""What was observed in a run, as data, and the record on disk that holds it.

It imports nothing that makes evidence (``engine``, ``deploy``, ``steps``) or judges it (``checks``).
"""
