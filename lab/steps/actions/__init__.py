"""What a step can do: one file for each action, with its keys, its rules, its words and what it does.

``lab.scenario.steps.Action.family`` finds each class that has a ``verb``.
"""
