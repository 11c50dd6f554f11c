"""A client of PDoRA Serve. It needs no PyTorch but for MetaTensors and for pushing networks."""

from pdora.client.adapters import Version
from pdora.client.client import Client
from pdora.client.errors import ApiError, JobError, PdoraError, Problem, RejectedError, UnreachableError
from pdora.client.jobs import Job
from pdora.client.results import Segmentation

__all__ = [
    "ApiError",
    "Client",
    "Job",
    "JobError",
    "PdoraError",
    "Problem",
    "RejectedError",
    "Segmentation",
    "UnreachableError",
    "Version",
]
