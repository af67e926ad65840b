"""What mkdocs asks while it builds the site: the page of commands, made from the command line itself."""

from __future__ import annotations

import re
from typing import Any

import typer


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the commands and their options in place of the marker of that page."""
    if page.file.src_uri != "reference/commands.md":
        return markdown
    from merprep.cli.app import app

    command = typer.main.get_command(app)
    return markdown.replace("<!-- commands -->", "\n".join(_described(command, ("merprep",))))


def _described(command: Any, path: tuple[str, ...]) -> list[str]:
    lines = []
    if len(path) > 1:
        lines = [f"{'#' * min(len(path), 4)} `{' '.join(path)}`", "", *_paragraphs(command), ""]
    children = getattr(command, "commands", {})
    if not children and len(path) > 1:
        lines += _table(command)
    for name, child in children.items():
        lines += _described(child, (*path, name))
    return lines


def _paragraphs(command: Any) -> list[str]:
    text = re.sub(r"\n(?=\S)", " ", (command.help or "").strip().replace("\n\n", "\0")).replace("\0", "\n\n")
    return re.sub(r"Example: (.+)", lambda found: f"```text\n{found[1]}\n```", text).split("\n")


def _table(command: Any) -> list[str]:
    lines = ["| option | meaning | by itself |", "| --- | --- | --- |"]
    for parameter in command.params:
        if parameter.name == "help":
            continue
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        if parameter.param_type_name == "argument":
            names = f"`{parameter.metavar or parameter.name.upper()}`"
        default = parameter.default
        shown = "" if default in (None, False, ()) or callable(default) else f"`{getattr(default, 'value', default)}`"
        lines.append(f"| {names} | {_cell(getattr(parameter, 'help', '') or '')} | {shown} |")
    return [*lines, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
