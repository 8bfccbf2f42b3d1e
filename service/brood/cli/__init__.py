"""The commands. Each imports what it needs when it runs, so that help comes at once."""

from __future__ import annotations

import click

from brood import __version__
from brood.cli.bench import bench
from brood.cli.certify import certify
from brood.cli.config import config
from brood.cli.generate import generate
from brood.cli.keys import keys
from brood.cli.models import models
from brood.cli.serve import serve
from brood.cli.simulate import simulate
from brood.cli.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="brood")
def main() -> None:
    """Serve trained deep generative models."""


for command in (serve, config, keys, models, verify, certify, generate, simulate, bench):
    main.add_command(command)
