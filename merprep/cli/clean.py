"""`merprep clean`: what a workspace holds beside its results, and what of it can go."""

from __future__ import annotations

from typing import Annotated

import typer

from merprep.cli.output import Output


def clean(
    out: Output,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Remove it; without this, it is only shown what would go.")
    ] = False,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="Also files of aligned faces that no features were made from.")
    ] = False,
    weights: Annotated[bool, typer.Option("--weights", help="Also the weights of this machine's cache.")] = False,
) -> None:
    """Show what temporaries, parts, merged shards and caches take, and remove it with --yes.

    Features, runs, figures and reports are results: they are never removed.

    Example: merprep clean --aligned --yes
    """
    from dataclasses import asdict

    from merprep import stages
    from merprep.stages.clean import UNASKED
    from merprep.store.whole import size_text

    kinds = {*UNASKED, *(["aligned"] if aligned else []), *(["weights"] if weights else [])}
    found = stages.clean(out.workspace, kinds if yes else ())
    rows = []
    for held in found:
        fate = "freed" if held.freed else "would go" if held.kind in kinds else "stays"
        rows.append((fate, held.kind, size_text(held.size), str(held.path), held.why))
    if rows:
        out.table("What is there", ("", "kind", "size", "path", "why"), rows)
    going = sum(held.size for held in found if held.kind in kinds)
    out.say(f"{size_text(going)} {'freed' if yes else 'can go'}; {size_text(sum(h.size for h in found) - going)} stays")
    if going and not yes:
        options = "".join(f" --{name}" for name, given in (("aligned", aligned), ("weights", weights)) if given)
        out.next_step(f"merprep clean{options} --yes")
    out.document({"held": [{**asdict(held), "path": held.path.as_posix()} for held in found], "bytes": going})
