"""The command ``brood-export``."""

from __future__ import annotations

import click

import brood
from brood_export.cli.bundles import diffusers, import_, inspect, verify
from brood_export.cli.families import family_command
from brood_export.cli.zoo import zoo
from brood_export.families import FAMILIES


@click.group()
@click.version_option(brood.__version__)
def main() -> None:
    """Trained torch models in, bundles out."""


for command in (inspect, verify, import_, diffusers, zoo, *map(family_command, FAMILIES)):
    main.add_command(command)
