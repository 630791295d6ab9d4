"""``column IN (many values)`` as one parameter.

SQLAlchemy writes a list of values out as so many parameters, a statement of its own each time. This statement
is the same whatever their number, which has no bound either.
"""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import ARRAY, BindParameter, Boolean, ColumnElement, Dialect, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class _List(TypeDecorator[Collection[Any]]):
    """Values of one column's type: an array, or JSON where there are none."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind = ARRAY(self.item) if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        values = list(value or ())
        return values if dialect.name == "postgresql" else msgspec.json.encode(values).decode()


class _Among(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> "_Among":
        # Else SQLite, which has no booleans, is asked whether it is 1, and uses no index.
        return self


@compiles(_Among)
def _write(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(each, **kw) for each in element.clauses)
    if compiler.dialect.name == "postgresql":
        return f"{column} = ANY ({values})"
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both are SQL


def among(column: ColumnElement[Any], values: Collection[Any] | str) -> ColumnElement[bool]:
    """Whether ``column`` has one of ``values``, texts or numbers; a name is that of a parameter."""
    kind = _List(column.type)
    parameter: BindParameter[Any]
    if isinstance(values, str):
        parameter = bindparam(values, type_=kind)
    else:
        parameter = bindparam(None, list(values), type_=kind, unique=True)
    return _Among(column, parameter)
