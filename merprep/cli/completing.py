"""What the shell offers behind an option, once `merprep --install-completion` has been run."""

from __future__ import annotations

from collections.abc import Callable


def _of_table(kind: str) -> Callable[[str], list[str]]:
    def names(incomplete: str) -> list[str]:
        from merprep.manifest_data import table_names

        return [name for name in table_names(kind) if name.startswith(incomplete)]

    return names


databases = _of_table("databases")
models = _of_table("models")
schemes = _of_table("labels")
flow_presets = _of_table("flow")
