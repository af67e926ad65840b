"""The report: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from merprep import __version__
from merprep.report.blocks import Section, shown, slug
from merprep.report.sections import SECTIONS
from merprep.report.study import read_study
from merprep.store import Workspace, written_whole
from merprep.store.whole import sweep

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = "merprep.report.templates"


def write_report(
    workspace: Workspace, path: Path | None = None, *, faces: bool = False, features: Path | None = None
) -> Path:
    """Write what a workspace holds as one self-contained HTML page.

    The page opens from disk, loads nothing and sends nothing: its content-security policy forbids it. Texts from
    sheets, folders and files are shown as they are and never interpreted.

    Parameters
    ----------
    workspace : Workspace
    path : Path, optional
        The file to write; ``report.html`` in the workspace where None.
    faces : bool
        Whether pixels of persons are shown. Without, the page holds only flow, strain, outlines and numbers.
    features : Path, optional
        The feature file whose motion is shown; the newest where None.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    StoreError
        Where a file of the workspace is damaged, or the report cannot be written.

    Examples
    --------
    >>> write_report(Workspace("study"))  # doctest: +SKIP
    PosixPath('study/report.html')
    """
    target = path or workspace.folder / "report.html"
    study = read_study(workspace, faces=faces, features=features)
    sections = [make(study) for make in SECTIONS]
    name = workspace.folder.resolve().name or "workspace"
    sweep([target.parent])
    with written_whole(target) as temporary:
        temporary.write_text(render(sections, title=f"merprep report: {name}"), encoding="utf-8", newline="\n")
    return target


def render(sections: list[Section], *, title: str) -> str:
    """Turn sections into the page.

    Examples
    --------
    >>> "&lt;b&gt;" in render([Section("data", "<b>", ())], title="example")
    True
    """
    style, script = _asset("report.css"), _asset("report.js")
    return _environment().get_template("page.html.jinja").render(
        title=title,
        sections=sections,
        version=__version__,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup(style),  # noqa: S704 - the package's own file
        script=Markup(script),  # noqa: S704 - the package's own file
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
    )  # fmt: skip


def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    names = ("page.html.jinja", "blocks.html.jinja")
    environment = Environment(
        loader=DictLoader({name: _asset(name) for name in names}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=shown, slug=slug)
    return environment


def _asset(name: str) -> str:
    return files(_TEMPLATES).joinpath(name).read_text(encoding="utf-8")


def _csp_hash(content: str) -> str:
    """Return what a content-security policy calls one inline style or script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
