"""Kinds of actions and of checks that stand in files of their own, found by the keys that name them."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from lab.scenario.base import Model, tag

M = TypeVar("M", bound=Model)


class Family(Mapping[str, type[M]]):
    """The models of one base, in the order of the keys that name them.

    A package holds them, in any module of its own. It is imported when the first of them is asked for: the
    language then has its words, though the rooms that define them come after it.
    """

    def __init__(self, attribute: str, package: str) -> None:
        """``attribute`` of each class is the key that names it in a scenario."""
        self._attribute = attribute
        self._package = package

    def __getitem__(self, key: str) -> type[M]:
        return self._members[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def name_of(self, value: Any) -> str | None:
        """The key that names a model, or the mapping it is read from; None without one.

        A key may also stand beside another one that names the model, as ``expect`` beside ``run`` does.
        """
        if isinstance(value, Model):
            return getattr(value, self._attribute, None)
        named = [key for key in value if key in self] if isinstance(value, dict) else []
        whole = (key for key in named if self[key].model_fields.keys() >= set(named))
        return next(whole, next(iter(named), None))

    def member(self, name: str | None) -> type[M] | None:
        """The model of a tag in an error's place, or of the key itself."""
        return self.get(name.strip("<>")) if name else None

    def core_schema(self, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Any one of the models, told apart by its key."""
        choices = {tag(name): handler.generate_schema(model) for name, model in self.items()}
        return core_schema.tagged_union_schema(choices, discriminator=self._tag_of)

    def _tag_of(self, value: Any) -> str | None:
        name = self.name_of(value)
        return name and tag(name)

    @cached_property
    def _members(self) -> dict[str, type[M]]:
        found = {key: model for module in self._modules() for key, model in self._defined_in(module)}
        return dict(sorted(found.items()))

    def _modules(self) -> Iterator[ModuleType]:
        package = import_module(self._package)
        for info in pkgutil.iter_modules(package.__path__, f"{self._package}."):
            yield import_module(info.name)

    def _defined_in(self, module: ModuleType) -> Iterator[tuple[str, type[M]]]:
        for thing in vars(module).values():
            own = isinstance(thing, type) and issubclass(thing, Model) and thing.__module__ == module.__name__
            if own and self._attribute in vars(thing):
                yield getattr(thing, self._attribute), thing
