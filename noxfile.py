"""Everything that CI runs, in parts: `nox`, or `nox -s lint tests`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
PINS = ("-c", "constraints.txt")


def _install(session: nox.Session, extras: str) -> None:
    # One command: the two OpenCV packages overwrite each other otherwise.
    session.install("-q", *PINS, "-e", f".[{extras}]")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and the direction of imports."""
    _install(session, "dev")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Run the fast tests, on every Python that is installed."""
    _install(session, "dev")
    session.run("pytest", "-q", "-m", "not slow", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the slow tests: whole lines, killed runs, every page of the documentation."""
    _install(session, "dev,dask,browser")
    session.run("pytest", "-q", "-m", "slow", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the fast tests with the oldest versions that pyproject.toml admits, as far as wheels of them exist."""
    import tomllib

    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [line.split(",")[0].replace(">=", "==") for line in project["dependencies"]]
    session.install("-q", *wanted, "pytest", "hypothesis", "xlwt")
    session.install("-q", "--no-deps", "-e", ".")
    session.run("pytest", "-q", "-m", "not slow", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, strictly."""
    _install(session, "docs")
    session.run("mkdocs", "build", "--strict")


@nox.session
def package(session: nox.Session) -> None:
    """Try the wheel, made from the source distribution, in an environment and a folder of its own."""
    session.install("-q", "build")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "-q", "--outdir", folder)
        (wheel,) = Path(folder).glob("*.whl")
        session.install("-q", *PINS, str(wheel))
        session.cd(folder)
        session.run("merprep", "doctor")
        session.run("merprep", "demo")
