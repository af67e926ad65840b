"""`merprep doctor`: what on this machine would stop a run, and how to mend it."""

from __future__ import annotations

from merprep.cli.output import Output


def doctor(out: Output) -> None:
    """Check OpenCV's build, weights, landmarks, flow engine, torch device and disk; say how to mend what is wrong.

    Example: merprep doctor
    """
    from merprep.doctor import examine

    checks = examine(out.workspace, progress=out.progress())
    out.table("This machine", ("check", "state", "found"), [(c.name, c.state, c.found) for c in checks])
    for check in checks:
        if check.mend:
            out.say(f"{check.name}: {check.mend}")
    out.document({"checks": [check.as_json() for check in checks]})
    if any(check.state == "wrong" for check in checks):
        out.exit_code = 1
