"""Prints the best rate, in GFLOP/s, of a float32 product of two N x N matrices in numpy: sgemm.py N THREADS."""

import os
import sys
import time

side, threads = int(sys.argv[1]), sys.argv[2]
os.environ |= {"OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}

import numpy as np  # noqa: E402  (its threads are counted when it is imported)

a, b = (np.random.default_rng(seed).standard_normal((side, side), dtype=np.float32) for seed in (0, 1))
times = []
for _ in range(12):
    began = time.perf_counter()
    a @ b
    times.append(time.perf_counter() - began)
print(2 * side**3 / min(times) / 1e9)
