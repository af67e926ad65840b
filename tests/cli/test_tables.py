"""Commands that read tables: databases, cite, config, weights."""

import json

import pytest
from typer.testing import CliRunner

from merprep import databases
from merprep.cli.app import app

runner = CliRunner()


def document(*arguments):
    result = runner.invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_databases_lists_all_of_them_with_their_agreement():
    listed = document("databases")["databases"]
    assert [entry["id"] for entry in listed] == databases.names()
    assert all(entry["agreement"].startswith("http") for entry in listed)


@pytest.mark.parametrize("name", ["casme2", "CASME II", "smic-hs"])
def test_one_database_is_described(name):
    described = document("databases", name)
    assert described["doi"].startswith("10.")
    assert described["layouts"]


@pytest.mark.parametrize("name", databases.names())
def test_every_database_can_be_cited(name):
    assert document("cite", name)["bibtex"].startswith("@")


def test_config_show_prints_the_id_that_stands_in_file_names():
    shown = document("config", "show")
    assert len(shown["flow"]["id"]) == 8
    assert shown["flow"]["size"] == 28


def test_weights_are_listed_with_their_licence():
    listed = {row["name"]: row for row in document("weights", "list")["weights"]}
    assert {"yunet", "facemesh-v2"} <= set(listed)
    assert all(row["licence"] and len(row["sha256"]) == 64 for row in listed.values())
