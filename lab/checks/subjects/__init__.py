"""What a check can speak of: one file for each subject, with its keys, its rules and how it is judged.

``lab.scenario.checks.CheckBase.family`` finds each class that has a ``subject``.
"""
