"""Presets of the flow stage: named settings, as data in ``manifests/flow``."""

from __future__ import annotations

from typing import Any

from merprep.errors import ConfigError, UnknownNameError
from merprep.features.config import FlowConfig
from merprep.manifest_data import load_table, table_names

_ORDER = ("default", "still", "steady", "fast", "opencv", "ststnet", "htnet-casme3")


def flow_presets() -> dict[str, str]:
    """Return the names of the presets and what each is for.

    Examples
    --------
    >>> list(flow_presets())
    ['default', 'still', 'steady', 'fast', 'opencv', 'ststnet', 'htnet-casme3']
    """
    names = table_names("flow")
    ordered = [name for name in _ORDER if name in names] + [name for name in names if name not in _ORDER]
    return {name: " ".join(str(load_table("flow", name).get("description", "")).split()) for name in ordered}


def flow_preset(name: str = "default", **changes: Any) -> FlowConfig:
    """Return the settings of a preset.

    Parameters
    ----------
    name : str
        One of `flow_presets()`.
    **changes
        Fields of `FlowConfig` that take the place of the preset's. A change of `method` also drops the preset's
        parameters, which are another method's.

    Raises
    ------
    UnknownNameError
        Where there is no such preset.
    ConfigError
        Where its table or a change is not valid.

    Examples
    --------
    >>> flow_preset("htnet-casme3").channels, flow_preset() == FlowConfig()
    (('u', 'v', 'magnitude'), True)
    """
    if name not in table_names("flow"):
        raise UnknownNameError.among("flow preset", name, list(flow_presets()))
    settings = load_table("flow", name).get("settings")
    if not isinstance(settings, dict):
        raise ConfigError("The preset has no table [settings]", where=f"manifests/flow/{name}.toml")
    values = dict(settings)
    if changes.get("method", values.get("method", "tvl1")) != values.get("method", "tvl1"):
        values.pop("parameters", None)
    return FlowConfig.read({**values, **changes}, where=f"flow preset {name}")
