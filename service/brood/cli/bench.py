"""``brood bench``."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brood.cli.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from brood.loadgen.measures import Summary
    from brood.loadgen.run import Plan
    from brood.loadgen.stages import Stage
    from brood.loadgen.ways import Target

PROTOCOLS = ("http", "oip", "openai", "grpc", "oip-grpc")
POSITIVE = click.FloatRange(min=0, min_open=True, max=1e6)


@click.command()
@click.argument("url")
@click.option("--requests", multiple=True, required=True, metavar="TEXT", help='repeatable: "100% model=NAME n=4"')
@click.option(
    "--rate", "rates", multiple=True, metavar="RATE", help="open loop: requests a second, or 50:400; repeatable"
)
@click.option("--burst", type=click.FloatRange(min=1, min_open=True), help="half come in bursts, so much faster")
@click.option("--burst-s", type=POSITIVE, default=1.0, show_default=True, help="mean length of a burst")
@click.option("--clients", "clients", multiple=True, metavar="N", help="closed loop: clients, or 1:256; repeatable")
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="[default: the URL's own, http or grpc]")
@click.option("--stream", is_flag=True, help="ask for events: tells when the first sample and preview come")
@click.option("--seconds", type=POSITIVE, default=10.0, show_default=True, help="of a stage, that count")
@click.option("--warm-up-s", type=click.FloatRange(min=0, max=1e6), default=2.0, show_default=True, help="before them")
@click.option("--timeout-s", type=POSITIVE, default=60.0, show_default=True, help="for a whole answer")
@click.option("--slo-ms", type=POSITIVE, help="count right answers within so much of when they were due")
@click.option(
    "--repeat-seeds", type=click.IntRange(min=1), help="so many, and compare answers with the first of a seed"
)
@click.option("--connections", type=click.IntRange(min=1), default=512, show_default=True, help="at most, over HTTP")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="of what is drawn")
@click.option("--api-key", envvar="BROOD_API_KEY", help="for the server  [env: BROOD_API_KEY]")
@click.option("--tls-roots", type=click.Path(path_type=Path), help="PEM file of the server's authority")
@click.option("--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), help="stages as SVG or PNG")
@click.option("--json", "as_json", is_flag=True, help="JSON rather than a table")
@click.pass_context
def bench(context: click.Context, /, url: str, picture: Path | None, as_json: bool, **given: Any) -> None:
    """Press a server and tell how it does.

    URL is http://HOST:PORT, https://…, grpc://… or grpcs://…. Latency counts from when a request was due, and one that
    fails or is answered wrong never ends. Exit code 1: nothing was answered right, or something with wrong bytes.
    """
    from rich.console import Console

    from brood.loadgen.plot import plot
    from brood.loadgen.session import Quick, measure
    from brood.loadgen.table import notes_of, table_of

    with one_line(OSError):
        stages, plan, target = _stages(given), _plan(given), _target(url, given)
        slo_s = None if given["slo_ms"] is None else 1e-3 * given["slo_ms"]
        with Quick() as quick:
            found = measure(
                target, plan, stages, slo_s, lambda each: click.echo(f"{each.stage}: done", err=True), quick
            )
        if picture is not None:
            plot(found, picture, url)
    if as_json:
        click.echo(json.dumps({**_head(url, given), "stages": [each.words() for each in found]}, indent=2))
    else:
        Console().print(table_of(found, given["slo_ms"]))
        for note in (note for summary in found for note in notes_of(summary)):
            click.echo(note)
    context.exit(int(_bad(found)))


def _stages(given: dict[str, Any]) -> Sequence[Stage]:
    from brood.loadgen.arrivals import Bursts
    from brood.loadgen.stages import read_closed, read_open

    if bool(given["rates"]) == bool(given["clients"]):
        raise click.UsageError("give one of --rate and --clients")
    if given["clients"]:
        if given["burst"] is not None:
            raise click.UsageError("--burst goes with --rate")
        return [read_closed(text) for text in given["clients"]]
    bursts = None if given["burst"] is None else Bursts(given["burst"], given["burst_s"])
    return [read_open(text, bursts) for text in given["rates"]]


def _plan(given: dict[str, Any]) -> Plan:
    from brood.loadgen.orders import read_orders
    from brood.loadgen.run import Plan

    return Plan(
        read_orders(given["requests"]),
        seconds=given["seconds"],
        warm_up_s=given["warm_up_s"],
        timeout_s=given["timeout_s"],
        seed=given["seed"],
        repeat=given["repeat_seeds"],
    )


def _target(url: str, given: dict[str, Any]) -> Target:
    from brood.loadgen.ways import Target

    names = ("stream", "connections", "api_key", "tls_roots")
    return Target(url, given["protocol"] or "", **{name: given[name] for name in names})


def _head(url: str, given: dict[str, Any]) -> dict[str, Any]:
    from brood import __version__

    return {
        "url": url,
        "protocol": given["protocol"],
        "stream": given["stream"],
        "requests": given["requests"],
        "seconds": given["seconds"],
        "slo_ms": given["slo_ms"],
        "brood": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
    }


def _bad(found: Sequence[Summary]) -> bool:
    return not any(each.total.right for each in found) or any(each.total.bad_bytes for each in found)
