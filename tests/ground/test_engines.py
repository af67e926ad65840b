"""Engines are opened by name; what is wrong with a name or an address is told."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from merprep.cli.app import app
from merprep.engines import names, open_engine
from merprep.errors import DeviceError, MerprepError, UnknownNameError, UsageError


def test_without_a_name_there_is_no_engine() -> None:
    with open_engine(None) as engine:
        assert engine is None


@pytest.mark.parametrize(
    ("name", "scheduler", "jobs", "error"),
    [
        ("dusk", None, None, UnknownNameError),
        (None, "tcp://10.0.0.5:8786", None, UsageError),
        ("dask", None, 0, UsageError),
    ],
)
def test_what_makes_no_sense_is_refused(
    name: str | None, scheduler: str | None, jobs: int | None, error: type[MerprepError]
) -> None:
    with pytest.raises(error), open_engine(name, scheduler, jobs=jobs):
        pass


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    from merprep.engines import dask

    monkeypatch.setattr(dask, "_CONNECT", 0.3)
    with pytest.raises(DeviceError, match="does not answer") as caught, open_engine("dask", "tcp://127.0.0.1:9"):
        pass
    assert caught.value.where == "tcp://127.0.0.1:9"
    with pytest.raises(DeviceError, match="does not answer"), open_engine("dask", "nonsense://"):
        pass


def test_the_command_line_names_the_engines() -> None:
    run = CliRunner().invoke(app, ["flow", "--distributed", "dusk", "--json"])
    assert run.exit_code == 2
    assert all(name in run.output for name in names())
