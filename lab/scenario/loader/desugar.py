"""From what a person may write to the one normal form, node by node, so that every place is kept.

Three rules, all read off the models: a bare value for a model with a ``short`` field, a single item for
a list marked ``OneOrMany``, and a line of the script ``ACTOR: ACTION`` or ``ACTOR: [ACTION, ...]``. What fits
no rule is left as it is: the models refuse it.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

from lab.core.errors import SourceRef
from lab.scenario.base import Model
from lab.scenario.loader.shape import arms_of, choose, field_shape, fields_of, is_model, peel, takes_one
from lab.scenario.loader.tree import Mapping, Node, Scalar, Sequence, is_nothing
from lab.scenario.steps import BLOCKS, Line

_Pairs = tuple[tuple[Scalar, Node], ...]


def desugar(tree: Node, root: type[Model]) -> Node:
    """The tree of a file in its normal form; ``root`` is the model of the whole file."""
    return _model(tree, root)


def _node(node: Node, bare: Any, marks: tuple[Any, ...]) -> Node:
    if is_nothing(node):
        return node
    if takes_one(marks) and not isinstance(node, Sequence):
        node = Sequence((node,), node.at)
    if get_origin(bare) is tuple and isinstance(node, Sequence):
        return _items(node, get_args(bare)[0])
    if get_origin(bare) is dict and isinstance(node, Mapping):
        value = peel(get_args(bare)[1])
        return Mapping(tuple((key, _node(item, *value)) for key, item in node.pairs), node.at)
    model = choose(bare, marks, _outline(node))
    return _model(node, model) if is_model(model) else node


def _outline(node: Node) -> Any:
    """As much of a value as tells the forms of a union apart."""
    if isinstance(node, Mapping):
        return dict.fromkeys(node.names)
    return node.text if isinstance(node, Scalar) else None


def _items(node: Sequence, item: Any) -> Sequence:
    shape = peel(item)
    parts = node.items
    if Line in (peel(arm)[0] for arm in arms_of(shape[0])):
        parts = tuple(line for part in parts for line in _lines(part))
    return Sequence(tuple(_node(part, *shape) for part in parts), node.at)


def _model(node: Node, model: type[Model]) -> Node:
    if not isinstance(node, Mapping):
        if model.short is None:
            return node
        node = Mapping(((Scalar(model.short, False, node.at), node),), node.at)
    fields = fields_of(model)
    pairs = (
        (key, _node(value, *field_shape(fields[key.text])) if key.text in fields else value)
        for key, value in node.pairs
    )
    return Mapping(tuple(pairs), node.at)


def _lines(step: Node) -> tuple[Node, ...]:
    """One node for each thing an actor does; whatever else the mapping holds stays in it, to be refused."""
    if not isinstance(step, Mapping) or not step.pairs or any(block in step.names for block in BLOCKS):
        return (step,)
    (actor, actions), *rest = step.pairs
    if is_nothing(actions) and rest:  # what was to be below the actor stands beside it
        actions = Mapping(tuple(rest), actions.at)
    if not isinstance(actions, Sequence) or not actions.items:
        return (_line(actor, actions, tuple(rest), step.at),)
    return tuple(_line(actor, action, tuple(rest), action.at) for action in actions.items)


def _line(actor: Scalar, action: Node, rest: _Pairs, at: SourceRef) -> Mapping:
    named = (Scalar("actor", False, actor.at), actor), (Scalar("action", False, action.at), action)
    return Mapping((*named, *rest), at)
