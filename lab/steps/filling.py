"""The variables in an action, filled in before it is executed."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from typing import Any

from lab.evidence.facts import Described, EveryVariableHasValue
from lab.scenario.base import Model
from lab.scenario.steps import Action, Pattern
from lab.scenario.variables import VariableError, substitute
from lab.steps.failure import StepFailure


def filled_in(action: Action, variables: Mapping[str, str]) -> Action:
    """The action with every ``${...}`` in its texts replaced. StepFailure for one without a value."""
    try:
        filled: Action = _filled_in(action, variables)
    except VariableError as error:
        raise StepFailure(EveryVariableHasValue(), Described(error.what)) from None
    return filled


def _filled_in(value: Any, variables: Mapping[str, str]) -> Any:
    """A part of an action with the variables in all its texts replaced."""
    if type(value) is str:  # not a word of an enumeration
        return substitute(value, variables)
    if isinstance(value, tuple):
        return tuple(_filled_in(item, variables) for item in value)
    if isinstance(value, dict):
        return {key: _filled_in(item, variables) for key, item in value.items()}
    if isinstance(value, Pattern):
        variables = _quoted(value, variables)
    if isinstance(value, Model):
        parts = {name: _filled_in(getattr(value, name), variables) for name in value.model_fields_set}
        return value.model_copy(update=parts)
    return value


def _quoted(pattern: Pattern, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables as a pattern of this kind has them stand for themselves."""
    if pattern.regex is not None:
        return {name: re.escape(value) for name, value in variables.items()}
    if pattern.glob is not None:
        return {name: glob.escape(value) for name, value in variables.items()}
    return variables
