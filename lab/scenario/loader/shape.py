"""What may stand where, read off the models' annotations: the loader and the messages both walk by it."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Discriminator, Tag
from pydantic.fields import FieldInfo

from lab.scenario.base import Endpoint, IsHost, Model, OneOrMany
from lab.scenario.family import Family


def peel(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type without ``None`` and without its marks, and the marks."""
    marks: tuple[Any, ...] = ()
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *found = get_args(annotation)
            marks = (*marks, *found)
            continue
        rest = [arm for arm in arms_of(annotation) if arm is not type(None)]
        if len(rest) != 1 or rest[0] is annotation:
            return annotation, marks
        annotation = rest[0]


def arms_of(annotation: Any) -> tuple[Any, ...]:
    """The arms of a union, or the one type there is."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def is_model(annotation: Any) -> bool:
    """Whether it is a model and nothing else."""
    return isinstance(annotation, type) and issubclass(annotation, Model)


def takes_one(marks: tuple[Any, ...]) -> bool:
    """Whether a list may be written as its one item."""
    return any(isinstance(mark, OneOrMany) for mark in marks)


@cache
def fields_of(model: type[Model]) -> Mapping[str, FieldInfo]:
    """The fields of a model by the keys that a file uses."""
    # Older ones of pydantic tell it only of the whole model.
    complete = getattr(model, "__pydantic_fields_complete__", model.__pydantic_complete__)
    if not complete:  # a step may hold steps, not known before
        model.model_rebuild()
    return {info.alias or name: info for name, info in model.model_fields.items()}


def field_shape(info: FieldInfo) -> tuple[Any, tuple[Any, ...]]:
    """The type and the marks of a field."""
    bare, marks = peel(info.annotation)
    return bare, (*info.metadata, *marks)


def choose(union: Any, marks: tuple[Any, ...], value: Any) -> Any:
    """The arm of a tagged union that a value belongs to, or None; other types are their own arm."""
    family = family_of(union)
    if family is not None:
        return family.member(family.name_of(value))
    discriminator = next((mark for mark in marks if isinstance(mark, Discriminator)), None)
    if discriminator is None or not callable(discriminator.discriminator):
        return union
    return arm_by_tag(union, discriminator.discriminator(value))


def family_of(shape: Any) -> Family[Any] | None:
    """The family that a base stands for any member of; None for another type."""
    return vars(shape).get("family") if is_model(shape) else None


def models_below(model: type[Model]) -> Iterator[type[Model]]:
    """The models that stand below another one, in the order of its fields, each before what it holds."""
    for info in model.model_fields.values():
        for below in _models_in(info.annotation):
            yield below
            yield from models_below(below)


def hosts_in(value: Model) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The hosts that a piece of a scenario names, each with the path to it."""
    for name, info in type(value).model_fields.items():
        key, held = info.alias or name, getattr(value, name)
        if isinstance(held, Endpoint):
            yield (key,), held.host
        elif isinstance(held, Model):
            yield from (((key, *path), host) for path, host in hosts_in(held))
        elif held is not None and any(isinstance(mark, IsHost) for mark in field_shape(info)[1]):
            yield (key,), held


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    bare = peel(annotation)[0]
    if is_model(bare):
        yield bare
    for part in get_args(bare):
        yield from _models_in(part)


def arm_by_tag(union: Any, tag: Any) -> Any:
    """The arm of a tagged union with this tag, or None."""
    for arm in arms_of(union):
        bare, marks = peel(arm)
        if any(isinstance(mark, Tag) and mark.tag == tag for mark in marks):
            return bare
    return None


def shape_at(loc: Iterable[str | int], root: type[Model]) -> Any:
    """The type at a place below ``root`` as pydantic gives it: keys, positions, tags of unions, ``[key]``."""
    bare: Any = root
    for part in loc:
        bare = _below(bare, part)
    return bare


def _below(bare: Any, part: str | int) -> Any:
    family = family_of(bare)
    if family is not None:
        return family.member(str(part))
    if is_model(bare):
        return field_shape(fields_of(bare)[str(part)])[0]
    if get_origin(bare) is tuple:
        return peel(get_args(bare)[0])[0]
    if get_origin(bare) is dict:
        return bare if part == "[key]" else peel(get_args(bare)[1])[0]
    return arm_by_tag(bare, part)
