"""Times deepseek-ai/EPLB on the loads and clusters of standard input. Needs torch, and eplb.py on PYTHONPATH."""

import json
import sys
import time

import torch
from eplb import rebalance_experts

torch.set_num_threads(1)
given = json.load(sys.stdin)
weights = torch.tensor(given["loads"])
times = []
for replicas, groups, nodes, ranks in given["clusters"]:
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        rebalance_experts(weights, replicas, groups, nodes, ranks)
        runs.append((time.perf_counter() - start) * 1000)
    times.append(sorted(runs)[2])
print(json.dumps({"torch": torch.__version__, "times": times}))
