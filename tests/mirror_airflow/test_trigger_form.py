import pytest
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError

from mirror_airflow.audit_run import audit_form
from mirror_airflow.dag_page import trigger_form
from mirror_airflow.watch_run import watch_form

FORM = trigger_form(500)


def test_an_empty_form_is_valid_and_asks_for_nothing() -> None:
    assert {name: param.resolve() for name, param in FORM.items()} == {
        "projects": [],
        "recheck": False,
        "now": False,
        "all": False,
        "dry_run": False,
        "batch_size": None,
    }


@pytest.mark.parametrize("form", [FORM, audit_form(), watch_form()])
def test_no_field_needs_a_value_and_none_is_marked_as_if_it_did(form: dict[str, Param]) -> None:
    for param in form.values():
        assert "null" in param.schema["type"], "Airflow would mark it"
        assert param.resolve(None) is None


@pytest.mark.parametrize("param", FORM.values(), ids=FORM)
def test_every_field_explains_itself(param: Param) -> None:
    assert param.schema["title"]
    assert param.description


def test_the_batch_size_that_holds_is_named() -> None:
    assert "500" in (FORM["batch_size"].description or "")


@pytest.mark.parametrize("names", [["Flask", "zope.interface", "a", "A_b-1"]])
def test_project_names_are_accepted_as_people_write_them(names: list[str]) -> None:
    assert trigger_form(1)["projects"].resolve(names) == names


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("projects", ["../etc"]),
        ("projects", ["-flask"]),
        ("projects", "flask"),
        ("batch_size", 0),
        ("batch_size", 100_001),
        ("batch_size", 1.5),
        ("dry_run", "yes"),
        ("now", "yes"),
        ("all", "yes"),
    ],
)
def test_what_makes_no_sense_is_refused(field: str, value: object) -> None:
    with pytest.raises(ParamValidationError):
        trigger_form(1)[field].resolve(value)
