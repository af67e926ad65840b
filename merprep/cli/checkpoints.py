"""`merprep score FOLDER`: published weights, one file a person, scored on the clips of that person."""

from __future__ import annotations

from pathlib import Path

from merprep.cli.output import Output


def score_folder(
    out: Output,
    folder: Path,
    *,
    model: str,
    preset: str,
    features: Path | None,
    scheme: str,
    device: str,
    out_file: Path | None,
) -> None:
    """Let each file of weights predict the person that it was trained without, and print what comes out."""
    from merprep import training
    from merprep.store import written_whole

    source = features or training.newest_input(out.workspace, model, preset)
    found = training.score_checkpoints(folder, source, model=model, preset=preset, scheme=scheme, device=device)
    out.table(found.title(), *found.table())
    if out_file is not None:
        with written_whole(out_file) as temporary:
            found.predictions.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
        out.say(f"wrote {out_file}")
    for note in found.notes:
        out.say(note[0].upper() + note[1:] + ".")
    out.document(found.as_json())
