"""YAML for seeds. It has the values of JSON: a date stays a string, as in the body of a request."""

from __future__ import annotations

import typing as t

from dynaflask.extras import required_extra

with required_extra("yaml", reason="A seed in YAML needs PyYAML"):
    import yaml

TIMESTAMP = "tag:yaml.org,2002:timestamp"


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, without its dates."""

    yaml_implicit_resolvers: t.ClassVar[dict[str, t.Any]] = {  # type: ignore[misc]  # the stub has an instance's
        first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(text: str) -> t.Any:
    """The value of a YAML document.

    Raises:
        ValueError: It is not YAML.
    """
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(error) from error
