"""Settings hash by their content, and a wrong one is named."""

import pytest

from merprep.config import StageConfig, canonical_json
from merprep.errors import ConfigError


class _Settings(StageConfig):
    size: int = 28
    method: str = "tvl1"


def test_equal_settings_have_equal_ids_whatever_their_order():
    assert _Settings(size=28, method="dis").config_id() == _Settings(method="dis", size=28).config_id()
    assert _Settings(size=28).config_id() != _Settings(size=56).config_id()


@pytest.mark.parametrize("values", [{"size": "large"}, {"sizes": 28}])
def test_a_wrong_setting_is_named_with_its_file(values):
    with pytest.raises(ConfigError) as caught:
        _Settings.read(values, where="merprep.toml")
    assert caught.value.where == "merprep.toml"
    assert next(iter(values)) in caught.value.what


def test_canonical_json_refuses_what_json_cannot_say():
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))
