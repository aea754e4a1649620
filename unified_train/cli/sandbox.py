"""`unified-train sandbox`: the local vendors."""

from __future__ import annotations

import ipaddress
import json
import signal
import threading

import click

from unified_train.cli.app import Verbs
from unified_train.errors import ConfigurationError


@click.group(cls=Verbs)
def command() -> None:
    """Local servers that speak the vendors' protocols: nothing leaves this machine and nothing is billed."""


@command.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, help="Port to listen on; 0 picks a free one.")
@click.option(
    "--speed", default=600.0, show_default=True, help="How many times faster than real the vendors' clocks run."
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON once it listens, and nothing else.")
def serve(host: str, port: int, speed: float, as_json: bool) -> None:
    """Serve all vendors on one port until interrupted.

    With a speed of 600 a training takes about two seconds.
    """
    try:
        from unified_train.sandbox import Sandbox
    except ImportError as error:
        raise ConfigurationError(str(error)) from None

    if not _loopback(host):
        click.echo(f"warning: whoever reaches {host}:{port} can use and steer this sandbox", err=True)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        sandbox = Sandbox(speed=speed, host=host, port=port)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"can't serve on {host}:{port}: {error}") from None
    with sandbox:
        _announce(sandbox.base_url, sandbox.env, as_json=as_json)
        stopped.wait()


def _announce(base_url: str, env: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"base_url": base_url, "env": env}))
        return
    click.echo(f"The sandbox listens on {base_url}. Ctrl-C stops it. To use it from another terminal:\n")
    for name, value in env.items():
        click.echo(f"  export {name}={value}")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
