"""Flows whose parameters are the fields of an options model, as Prefect's users write flows.

Prefect merges the parameters of a run over those of its deployment by name. With one parameter that holds all options,
a run that names a backup would replace the deployment's store as well. So the model's fields are the parameters, and
the flow's function still takes the model. In Python the model is the only argument: `restore(RestoreOptions(…))`.

What neither run nor deployment gives comes from the KUBEFERRY_* variables of the worker.
"""

from __future__ import annotations

import os
from copy import copy
from functools import wraps
from inspect import Parameter, Signature, getsourcefile
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from prefect import Flow, get_run_logger
from prefect.context import FlowRunContext
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import ParameterSchema, parameter_schema
from prefect.utilities.hashing import file_hash
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_jsonable_python

from kubeferry.tasks.core.models.forms import EARLIER, OF_EARLIER, flat, form, title
from kubeferry.tasks.core.models.from_environment import from_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pydantic.fields import FieldInfo

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")

ATTRIBUTES = {
    "validate_parameters": "should_validate_parameters",
    "on_completion": "on_completion_hooks",
    "on_failure": "on_failure_hooks",
    "on_cancellation": "on_cancellation_hooks",
    "on_crashed": "on_crashed_hooks",
    "on_running": "on_running_hooks",
}
"""Setting of a flow → the attribute that holds it, where its name is another one."""


def flow_of(
    model: type[M], *, name: str, flow_run_name: str | Callable[[], str]
) -> Callable[[Callable[[M], Coroutine[Any, Any, R]]], ModelFlow[M, R]]:
    """Return a decorator that makes a flow of an async function of one argument, the model.

    Its results are not persisted: they are in the store.
    """

    def decorate(body: Callable[[M], Coroutine[Any, Any, R]]) -> ModelFlow[M, R]:
        return ModelFlow(body, model, name, flow_run_name)

    return decorate


class ModelFlow(Flow[[M], "Coroutine[Any, Any, R]"], Generic[M, R]):
    """A flow whose parameters are the fields of a model."""

    def __init__(
        self,
        body: Callable[[M], Coroutine[Any, Any, R]],
        model: type[M],
        name: str,
        flow_run_name: str | Callable[[], str],
    ) -> None:
        """Make it; Prefect sees a function that takes each field, and `options`, the form of earlier versions."""
        self.model = model

        @wraps(body)
        async def run(options: M | None = None, /, **given: Any) -> R:
            _warn_of_old()
            return await body(options or model.model_validate(flat(given)))

        del run.__wrapped__  # Prefect would bind to its signature
        # Prefect makes two pydantic models of each parameter (50 ms for a restore), once for its schema and once to
        # validate: of this signature nothing is made here, since `form` and `validate_parameters` replace both.
        vars(run).update(__signature__=Signature(), __annotations__={})
        source = getsourcefile(body)
        super().__init__(
            run,
            name=name,
            flow_run_name=flow_run_name,
            persist_result=False,
            validate_parameters=False,
            version=file_hash(source) if source else None,
        )
        self.should_validate_parameters = True
        vars(run).update(
            __signature__=Signature(
                [
                    *(_plain(name, field) for name, field in model.model_fields.items()),
                    Parameter(EARLIER, Parameter.KEYWORD_ONLY, default=None),
                ]
            )
        )

    @property
    def parameters(self) -> ParameterSchema:
        """Return the parameters as Prefect's own `deploy` registers them."""
        return parameter_schema(self)

    @parameters.setter
    def parameters(self, _of_function: ParameterSchema) -> None:
        """Ignore what Prefect makes of the function."""

    @property
    def __signature__(self) -> Signature:
        """Return the signature from which Prefect's own `deploy` makes the form: that of `form`, field by field."""
        properties = form(self.model)["properties"]
        fields = self.model.model_fields
        return Signature([_shown(name, fields[name], schema) for name, schema in properties.items()])

    def __call__(self, options: M, **more: Any) -> Coroutine[Any, Any, R]:  # type: ignore[override]
        """Run the flow; its run in Prefect has each field of the model as a parameter.

        Args:
            options: the model.
            more: `return_state` and `wait_for`, as Prefect has them.
        """
        run: Coroutine[Any, Any, R] = super().__call__(**more, **dict(options))
        return run

    def with_options(self, **changes: Any) -> ModelFlow[M, R]:
        """Return a copy with other settings, by the names of Prefect's `Flow.with_options`.

        Prefect's own makes a `Flow`, and its schema anew for each run of a populated namespace.
        """
        made = copy(self)
        for name, value in changes.items():
            attribute = ATTRIBUTES.get(name, name)
            if attribute not in vars(made):
                raise TypeError(f"a flow has no setting {name}")
            setattr(made, attribute, value)
        return made

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the options by name, as the model has them.

        Raises:
            ParameterTypeError: the model refuses them; no value is quoted, as it may be a secret.
        """
        given = flat(parameters)
        if _by_worker():
            given = from_environment(given, self.model.model_fields, os.environ)
        try:
            return dict(self.model.model_validate(given))
        except ValidationError as error:
            raise ParameterTypeError.from_validation_error(error) from None

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters as JSON has them; the fields of a model are nothing else.

        Prefect's own asks FastAPI's `jsonable_encoder`: to import FastAPI takes a tenth of a second.
        """
        return {name: to_jsonable_python(value, by_alias=True) for name, value in parameters.items()}


def _plain(name: str, field: FieldInfo) -> Parameter:
    """Return a parameter as the engine needs it; what is required is left to the model, which says it by name."""
    return Parameter(name, Parameter.KEYWORD_ONLY, default=field.get_default(call_default_factory=True))


def _shown(name: str, field: FieldInfo, schema: dict[str, Any]) -> Parameter:
    """Return a parameter whose schema, as Prefect makes it, is this one."""
    typed = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    default = ... if field.is_required() else field.get_default(call_default_factory=True)
    # References follow from the type; those that Pydantic finds here it would take for its own, which are numbered.
    plain = {key: value for key, value in schema.items() if "#/definitions/" not in str({key: value})}
    info = Field(default=default, json_schema_extra={"title": title(name, field)} | plain)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=info, annotation=typed)


def _by_worker() -> bool:
    """Return whether this process is one that a worker started, and this its own run, no sub-flow."""
    return bool(os.environ.get("PREFECT__FLOW_RUN_ID")) and FlowRunContext.get() is None


def _warn_of_old() -> None:
    context = FlowRunContext.get()
    if context and context.flow_run and context.flow_run.parameters.get(EARLIER):
        get_run_logger().warning("its deployment is %s", OF_EARLIER)
