"""A run on a real cluster: two nodes of Ray on this machine, and a third that lacks the package.

Run it alone, with retries: where the cores are busy a node gives up when its agent takes more than 15 s.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError
from ace.llm import RoleModels, ScriptedClient, connect
from ace.loop import evaluate
from ace.store import Store
from tests.model_server import ModelServer
from tests.pace import patience
from tests.ray_world import ON_RAY, ON_THREADS, learn_into, left_by, tell_node, things
from tests.test_loop_parallel import says

ray = pytest.importorskip(
    "ray", reason="Ray is not installed: `just ray` runs these in an environment of its own"
)
cluster_utils = pytest.importorskip("ray.cluster_utils")
pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers be as urgent as this process."""
    monkeypatch.setenv("RAY_worker_niceness", "0")


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes with one CPU each, so that two items in flight are on both."""
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_a_run_goes_over_two_nodes_and_one_of_them_may_die(tmp_path: Path, cluster: Any) -> None:
    model = ModelServer(says)
    address = cluster.address
    with connect("openai/things", api_base=model.api_base, api_key="none") as client:
        learn_into(tmp_path / "threads.db", things(), client, ON_THREADS)
        settings = replace(ON_RAY, ray_address=address)
        learn_into(tmp_path / "ray.db", things(), client, settings)
        assert left_by(tmp_path / "ray.db") == left_by(tmp_path / "threads.db")

        task = things(agent=tell_node)
        with Store.open(tmp_path / "nodes.db") as store:
            report = evaluate(task, store, RoleModels.of(client), replace(settings, split="train", workers=2))
            nodes = {episode.attempt.answer for episode in store.episodes(run=report.run)}
        assert len(nodes) == 2, nodes

        # One node dies in the middle: its item is done again on the other.
        model.calls, model.stalls_at = 0, 4
        threading.Thread(target=_kill_node, args=(cluster, model), daemon=True).start()
        learn_into(tmp_path / "killed.db", things(), client, settings)
        assert left_by(tmp_path / "killed.db") == left_by(tmp_path / "threads.db")
    model.close()


def _kill_node(cluster: Any, model: ModelServer) -> None:
    """Take the second node away while a call is under way, and let the model answer again."""
    model.stalled.wait(patience(120))
    (second,) = cluster.worker_nodes
    cluster.remove_node(second, allow_graceful=False)
    model.go_on()


@contextmanager
def start_head(python: str, folder: Path, **environment: str) -> Iterator[str]:
    """Start a head on loopback with another interpreter, and yield its address."""
    program = [python, "-m", "ray.scripts.scripts"]
    head = ["start", "--head", "--port=0", "--num-cpus=1", "--include-dashboard=false", "--block"]
    node: Any = subprocess.Popen(
        [*program, *head, "--node-ip-address=127.0.0.1"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = iter(node.stdout.readline, "")
        yield next(line.split("--address=")[1].split("'")[1] for line in lines if "--address=" in line)
    finally:
        ray.shutdown()
        node.terminate()
        node.wait()


def test_a_cluster_that_asks_for_a_token_says_what_is_missing(tmp_path: Path) -> None:
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
    with (
        start_head(sys.executable, tmp_path, **os.environ | secret) as address,
        Store.open(tmp_path / "p.db") as store,
        pytest.raises(InputError) as error,
    ):
        settings = replace(ON_RAY, ray_address=address)
        evaluate(things(), store, RoleModels.of(ScriptedClient(says)), settings)
    assert "RAY_AUTH_MODE=token" in (error.value.hint or "") and secret["RAY_AUTH_TOKEN"] not in str(
        error.value
    )


def test_a_node_without_the_package_is_named_with_the_command_that_helps(tmp_path: Path) -> None:
    """The node is started from an environment that has Ray and what it needs, and not this package."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    site = next((bare / "lib").glob("python*/site-packages"))
    # A folder named in a .pth file is searched for packages; the .pth files in it are not read, and an
    # editable install is one.
    (site / "ray.pth").write_text(sysconfig.get_path("purelib"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    python = str(bare / "bin" / "python")
    absent = subprocess.run(
        [python, "-c", "import ray, ace"], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert "No module named 'ace'" in absent.stderr
    # Ray's default depends on whether the user has a token already.
    with start_head(python, tmp_path, **environment | {"RAY_AUTH_MODE": "disabled"}) as address:
        here = Path.cwd()
        os.chdir(tmp_path)  # Ray lets workers import from the folder of the driver
        try:
            with Store.open(tmp_path / "p.db") as store, pytest.raises(InputError) as error:
                settings = replace(ON_RAY, ray_address=address)
                evaluate(things(), store, RoleModels.of(ScriptedClient(says)), settings)
        finally:
            os.chdir(here)
        assert "cannot use the package (No module named 'ace'" in str(error.value)
        assert "pip install 'ace-engine[ray]==" in str(error.value)
