"""What every command shares: help, JSON, one panel for an error, exit codes."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from merprep import __version__
from merprep.cli.app import app

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def commands():
    groups = ("import", "weights", "config", "bench")
    return [[command.callback.__name__.rstrip("_")] for command in app.registered_commands] + [
        [name] for name in groups
    ]


def test_help_names_every_command_under_its_task():
    printed = run("--help").stdout
    for (name,) in commands():
        assert name in printed
    assert "Make features" in printed


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout) > 100


def test_every_command_takes_the_shared_options_and_shows_an_example():
    for command in app.registered_commands:
        printed = run(command.callback.__name__, "--help").stdout
        for option in ("--workspace", "--strict", "--json", "--quiet", "--debug"):
            assert option in printed
        assert "Example:" in printed


def test_the_version_is_printed():
    assert run("--version").stdout.strip() == __version__


def test_an_error_is_one_panel_and_exit_code_2(tmp_path):
    result = run("ingest", "cassme2", tmp_path, "-w", tmp_path / "w")
    assert result.exit_code == 2
    assert "casme2" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "w").exists()


def test_an_error_under_json_is_a_document(tmp_path):
    result = run("ingest", "cassme2", tmp_path, "-w", tmp_path / "w", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["kind"] == "UnknownNameError"


def test_debug_shows_where_an_error_came_from(tmp_path):
    result = run("ingest", "cassme2", tmp_path, "--debug")
    assert type(result.exception).__name__ == "UnknownNameError"


def test_text_from_files_is_never_read_as_markup(tmp_path):
    result = run("ingest", "[red]casme2[/red]", tmp_path)
    assert result.exit_code == 2
    assert "[red]casme2[/red]" in result.stderr.replace("\n", "")


def test_help_does_not_import_heavy_libraries():
    code = (
        "import sys; from merprep.cli.app import app;"
        "heavy = {'torch', 'cv2', 'numba', 'matplotlib', 'sklearn', 'skimage', 'scipy', 'h5py', 'pandas', 'numpy'};"
        "heavy |= {'pydantic', 'jinja2'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_the_shell_offers_names_of_databases_models_and_schemes():
    from merprep.cli import completing

    assert completing.databases("sam") == ["samm", "samm-lv"]
    assert "htnet" in completing.models("")
    assert completing.schemes("unified") == ["unified-5", "unified-7"]
    assert "steady" in completing.flow_presets("s")
