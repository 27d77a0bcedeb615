"""Tasks that are not submitted yet, and graphs of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Union

from .options import TaskOptions, write_options

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Signature:
    """A task to be submitted: a name, arguments and options. It does not change: `with_options` makes another."""

    def __init__(
        self,
        name: str,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.args: tuple[Any, ...] = tuple(args)
        self.kwargs: dict[str, Any] = dict(kwargs or {})
        self.options: dict[str, Any] = dict(options or {})

    def with_options(self, **options: Unpack[TaskOptions]) -> Signature:
        return Signature(self.name, self.args, self.kwargs, {**self.options, **options})

    def to_json(self) -> dict[str, Any]:
        """As the server reads it."""
        body: dict[str, Any] = {"name": self.name, **write_options(self.options)}
        if self.args:
            body["args"] = list(self.args)
        if self.kwargs:
            body["kwargs"] = self.kwargs
        return body

    def __repr__(self) -> str:
        given = [repr(each) for each in self.args] + [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"{self.name}({', '.join(given)})"


#: What can be submitted: a name, a decorated function, or one of its signatures.
Submittable = Union[str, Signature, "HasSignature"]


class HasSignature:
    """Something that can be made a signature of: a decorated function."""

    def s(self, *args: Any, **kwargs: Any) -> Signature:
        raise NotImplementedError


def signature(
    task: Submittable,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Signature:
    """Of whatever can be submitted. Arguments and options that are given come instead of those that it has."""
    if isinstance(task, HasSignature):
        task = task.s()
    if isinstance(task, str):
        return Signature(task, args, kwargs, options)
    args = tuple(args) or task.args
    return Signature(task.name, args, task.kwargs if kwargs is None else kwargs, {**task.options, **(options or {})})


class Graph:
    """A workflow to be submitted."""

    def __init__(self, shape: Mapping[str, Any]) -> None:
        self.shape = dict(shape)

    def to_json(self) -> dict[str, Any]:
        return self.shape

    def in_queue(self, name: str) -> Graph:
        """With those of its tasks that name no queue in this one."""

        def fill(shape: Any) -> Any:
            if isinstance(shape, list):
                return [fill(each) for each in shape]
            if isinstance(shape.get("name"), str):
                return {"queue": name, **shape}
            return {each: fill(value) for each, value in shape.items()}

        return Graph({kind: fill(shape) for kind, shape in self.shape.items()})


def _all(tasks: Iterable[Any]) -> list[dict[str, Any]]:
    flat: list[Submittable] = []
    for task in tasks:
        if isinstance(task, (str, Signature, HasSignature)):
            flat.append(task)
        else:
            flat.extend(task)
    return [signature(task).to_json() for task in flat]


def chain(*tasks: Submittable | Iterable[Submittable]) -> Graph:
    """Each runs after the one before has succeeded, whose result it finds in `current_task().parent_results`."""
    return Graph({"chain": _all(tasks)})


def group(*tasks: Submittable | Iterable[Submittable]) -> Graph:
    """All run side by side."""
    return Graph({"group": _all(tasks)})


def chord(header: Iterable[Submittable], body: Submittable) -> Graph:
    """A group, and a task that runs after all of it; it finds their results in `current_task().parent_results`."""
    return Graph({"chord": {"header": _all(header), "body": signature(body).to_json()}})


def workflow(tasks: Mapping[str, Submittable]) -> Graph:
    """Any graph: tasks by the names they have in it, which their `depends_on` names."""
    return Graph({"tasks": {name: signature(task).to_json() for name, task in tasks.items()}})
