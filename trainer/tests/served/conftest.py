from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from conftest import PROJECT
from served.cases import Heads, Served, head_weights, write_adapter
from served.client import Client
from served.system import running_system

from pdora import Base, load_base

BASE_FILE = PROJECT / "models" / "phantom" / "base.safetensors"


@pytest.fixture(scope="session")
def base() -> Base:
    return load_base(BASE_FILE)


@pytest.fixture(scope="session")
def admin(shared: Path, base: Base, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client with the admin key of the running system, which is started only where there are volumes for it."""
    if not (PROJECT / "node_modules" / ".bin" / "node").exists():
        if os.environ.get("CI"):
            pytest.fail("node_modules is missing")
        pytest.skip("needs node_modules (npm ci)")
    with running_system(PROJECT, base.path, base.digest, tmp_path_factory.mktemp("system")) as client:
        yield client


@pytest.fixture(scope="session")
def tenant(admin: Client) -> Client:
    """A client with a tenant's own key."""
    return admin.new_tenant("ward")


@pytest.fixture(scope="session")
def hippocampus(shared: Path) -> Path:
    return shared / "data" / "hippocampus" / "images" / "hippocampus_001.nii.gz"


@pytest.fixture(scope="session")
def heads(base: Base, hippocampus: Path) -> Heads:
    return head_weights(base, hippocampus)


@pytest.fixture(scope="session")
def serve(
    base: Base, tenant: Client, hippocampus: Path, heads: Heads, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Served]:
    """Writes the adapter of a case, pushes it and segments the hippocampus with it; each case once."""
    folder = tmp_path_factory.mktemp("adapters")

    @cache
    def served(case: str) -> Served:
        adapter = write_adapter(folder / f"{case}.safetensors", base, case, heads)
        shown = tenant.push(case, adapter.path)
        assert (shown["status"], shown["problems"]) == ("ready", [])
        return Served(adapter, shown, tenant.segment(case, hippocampus))

    return served
