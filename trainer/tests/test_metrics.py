"""What Prometheus reads of a running runner, by Prometheus' own parser and naming rules."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from conftest import PROJECT
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

NODE = PROJECT / "node_modules" / ".bin" / "node"
BASE = PROJECT / "models" / "phantom" / "base.safetensors"
READY_SECONDS = 120
# Neither a time nor a size: https://prometheus.io/docs/practices/naming/ wants base units in all other names.
NO_UNIT = {"pdora_runner_ready", "pdora_runner_queue_length", "pdora_runner_sessions"}


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Metric]]:
    if not NODE.exists():
        if os.environ.get("CI"):
            pytest.fail("node_modules is missing")
        pytest.skip("needs node_modules (npm ci)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "PDORA_RUNNER_TOKEN": "runner-token-for-tests",
        "PDORA_RUNNER_PORT": str(port),
        "PDORA_PROVIDERS": "cpu",
        "PDORA_BASE": str(BASE),
        "PDORA_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        "PDORA_LOG_LEVEL": "fatal",
    }
    process = subprocess.Popen([NODE, PROJECT / "gpu-runner" / "main.ts"], env=os.environ | settings)
    try:
        text = metrics_when_ready(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()
    yield {family.name: family for family in text_string_to_metric_families(text)}


def metrics_when_ready(url: str) -> str:
    late = time.monotonic() + READY_SECONDS
    while time.monotonic() < late:
        try:
            with urlopen(f"{url}/readyz"), urlopen(f"{url}/metrics") as reply:
                return reply.read().decode()
        except URLError:
            time.sleep(0.2)
    pytest.fail("the runner is not ready")


def own(families: dict[str, Metric]) -> list[Metric]:
    found = [family for name, family in families.items() if name.startswith("pdora_")]
    assert len(found) >= 12
    return found


def test_each_has_a_type_and_says_what_it_is(families):
    for family in own(families):
        assert family.type in {"counter", "gauge", "histogram"}, family.name
        assert len(family.documentation) > 10, family.name


def test_names_end_with_base_units_and_counters_with_total(families):
    for family in own(families):
        # The parser takes the suffix of a counter off the family's name.
        counted = {sample.name for sample in family.samples if family.type == "counter"}
        assert all(name.endswith("_total") for name in counted), family.name
        assert not family.name.endswith("_total")
        if family.type != "counter" and family.name not in NO_UNIT:
            assert family.name.endswith(("_seconds", "_bytes")), family.name


def test_values_are_those_of_a_runner_that_has_done_nothing(families):
    def values(name: str) -> dict[tuple[str, ...], float]:
        samples = families[name].samples
        return {tuple(one.labels.values()): one.value for one in samples if not one.name.endswith("_created")}

    assert values("pdora_runner_ready") == {(): 1}
    assert values("pdora_runner_queue_length") == {(): 0}
    assert values("pdora_runner_queue_age_seconds") == {(): 0}
    assert values("pdora_runner_session_restarts") == {(): 0}
    assert values("pdora_runner_cache_bytes") == {("compiled",): 0, ("disk",): 0}
    assert min(values("pdora_runner_resident_memory_bytes").values()) > 20e6
    assert set(values("pdora_runner_resident_memory_bytes")) == {("server",), ("session",)}


def test_the_event_loop_is_watched(families):
    assert families["nodejs_eventloop_lag_p99_seconds"].type == "gauge"


def test_the_documentation_lists_each_and_no_other(families):
    page = Path(PROJECT / "docs" / "operation.md").read_text()
    listed = set(re.findall(r"`(pdora_runner_[a-z_]+)", page))
    named = {family.name + ("_total" if family.type == "counter" else "") for family in own(families)}
    assert listed == named
