"""From a scenario file to a :class:`~lab.scenario.Scenario`, and back.

The data walks ``syntax`` (bytes to events) → ``tree`` (nodes with places) → ``desugar`` (short forms to the
normal form) → ``plain`` (JSON's types) → the models, whose refusals ``messages`` puts into words → ``rules``
(what only makes sense of the whole). ``dump`` writes the normal form.
"""

from lab.scenario.loader.dump import dump
from lab.scenario.loader.loader import Loaded, load, with_trees

__all__ = ["Loaded", "dump", "load", "with_trees"]
