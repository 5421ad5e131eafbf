"""Connect this process to Ray: to a cluster that it is a node of, or to Ray on this machine alone."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from ace.errors import InputError, describe_error
from ace.settings import Settings

_ALONE = "local"
_AUTO = "auto"
_PATIENCE = 5.0  # seconds for an address to be reached
_CHECK = 40.0  # seconds for what answers there to say that it is Ray: a busy machine takes long to import it
_START = "Start one with `ray start --head`, or leave out --ray-address."


def connect_ray(settings: Settings) -> None:
    """Connect to the cluster that the settings name, RAY_ADDRESS names, or start Ray here, on loopback.

    Where the program has connected to Ray itself, that connection is used. Raises InputError where Ray is not
    installed, nobody answers at the address, or the cluster has other versions or no CPU.
    """
    address = settings.ray_address or os.environ.get("RAY_ADDRESS") or _ALONE
    if address == _ALONE and "ray" not in sys.modules:
        # Whether Ray listens on loopback only is decided when it is imported. It takes its own address for
        # that of a cluster otherwise.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # of a cluster that is started here
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # it warns otherwise
    try:
        import ray
    except ImportError as error:
        hint = "Run `pip install 'ace-engine[ray]'`, or use --executor threads."
        raise InputError(f"Ray is not installed ({error}).", hint=hint) from error
    if not ray.is_initialized():
        if address not in (_ALONE, _AUTO):
            _check_address(address)
        options: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
        handler = signal.getsignal(signal.SIGTERM)
        try:
            if address == _ALONE:  # each worker has a process that stays
                ray.init(num_cpus=settings.workers, include_dashboard=False, **options)
            else:
                ray.init(**options)
        except Exception as error:  # it has as many as there are ways to fail
            where = "on this machine" if address == _ALONE else f"at {address}"
            what = describe_error(error)
            raise InputError(f"The Ray cluster {where} cannot be used ({what:.500}).", hint=_START) from error
        finally:
            if threading.current_thread() is threading.main_thread() and handler is not None:
                signal.signal(signal.SIGTERM, handler)  # Ray takes it for itself
    elif settings.ray_address not in (None, _AUTO, ray.get_runtime_context().gcs_address):
        connected = ray.get_runtime_context().gcs_address
        message = f"This process is connected to the Ray cluster at {connected}, not {settings.ray_address}."
        raise InputError(message, hint="Call `ray.shutdown()` before, or leave out ray_address.")
    if ray.cluster_resources().get("CPU", 0) < 1:
        hint = "Start its nodes with `ray start --num-cpus N`."
        raise InputError("The Ray cluster has no CPU for tasks.", hint=hint)


def _check_address(address: str) -> None:
    """Raise InputError unless a Ray cluster answers at HOST:PORT: connecting to another never ends."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        hint = (
            "Give the head as HOST:PORT, as `ray start --head` prints it, and start this on one of its nodes."
        )
        raise InputError(f"{address!r} is no address of a Ray cluster.", hint=hint)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except OSError as error:
        raise InputError(f"Nobody answers at {address} (--ray-address: {error}).", hint=_START) from error
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter; the address is one word)
            command, capture_output=True, text=True, timeout=_CHECK, check=False
        )
        words = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except subprocess.TimeoutExpired:
        words = ["it does not say that it is one"]
    if words:
        message = f"What answers at {address} is no Ray cluster that can be used ({words[0]:.300})."
        hint = (
            "Check the address, and that both have one version of Ray. One that asks for a token needs"
            " RAY_AUTH_MODE=token here, and its token as RAY_AUTH_TOKEN or in ~/.ray/auth_token."
        )
        raise InputError(message, hint=hint)
