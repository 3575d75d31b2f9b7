"""PyTorch and NumPy as contenders: takes commands as lines of JSON and answers each in a line, with its own clock."""

import base64
import importlib.util
import json
import sys
import time

import numpy as np

try:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(1)
    torch.set_grad_enabled(False)
except ImportError:
    torch = None


def blas():
    """The BLAS that was loaded, by the name of its file."""
    np.zeros((2, 2)) @ np.zeros((2, 2))
    with open("/proc/self/maps") as maps:
        names = {line.split("/")[-1].strip() for line in maps if "/" in line}
    found = [name for name in names if any(word in name.lower() for word in ("blas", "mkl", "blis"))]
    real = [name for name in found if "open" in name or "mkl" in name or "blis" in name]
    return ", ".join(sorted(real or found)) or "unknown"


def read(path, *shape):
    return np.fromfile(path, "float32").reshape(shape)


def numpy_route(batches, bias, experts, topK, scale, rate):
    batches = [read(path, -1, experts) for path in batches]
    bias = read(bias, experts)

    def step(turn):
        scores = 1 / (1 + np.exp(-batches[turn % len(batches)]))
        keys = scores + bias
        best = np.argpartition(keys, experts - topK, axis=1)[:, experts - topK :]
        order = np.argsort(-np.take_along_axis(keys, best, 1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, 1)
        weights = np.take_along_axis(scores, best, 1)
        weights = weights / weights.sum(1, keepdims=True) * np.float32(scale)
        load = np.bincount(best.ravel(), minlength=experts)
        return best, weights, bias + np.float32(rate) * np.sign(load.mean() - load).astype("float32")

    return step


def torch_select(logits, bias, topK, rate):
    """Scores, the best experts, and the bias after their load."""
    scores = torch.sigmoid(logits)
    best = torch.topk(scores + bias, topK, dim=1)[1]
    load = torch.bincount(best.flatten(), minlength=logits.shape[1]).float()
    return scores, best, bias + rate * torch.sign(load.mean() - load)


def torch_route(batches, bias, experts, topK, scale, rate):
    batches = [torch.from_numpy(read(path, -1, experts)) for path in batches]
    bias = torch.from_numpy(read(bias, experts))

    def step(turn):
        scores, best, next_bias = torch_select(batches[turn % len(batches)], bias, topK, rate)
        weights = scores.gather(1, best)
        return best, weights / weights.sum(1, keepdim=True) * scale, next_bias

    return step


def torch_simulate(tokens, steps, experts, topK, rate, router=None, hiddenSize=0):
    """So many steps a turn, the bias going on from step to step; through a router's weight where it is given.
    No weights, for no report tells them."""
    bias = torch.zeros(experts)
    weight = torch.from_numpy(read(router, experts, hiddenSize)).T if router else None

    def turn(_):
        nonlocal bias
        for _ in range(steps):
            drawn = torch.randn(tokens, hiddenSize or experts)
            logits = drawn @ weight if router else drawn
            _, best, bias = torch_select(logits, bias, topK, rate)
        return best, bias

    return turn


def sorted_experts(x, best, combine, up, down, out):
    """Sorts the slots by expert once; an expert's tokens then stand together."""
    flat, topK = best.flatten(), best.shape[1]
    order = torch.argsort(flat)
    start = 0
    for expert, count in enumerate(torch.bincount(flat, minlength=len(up)).tolist()):
        if count == 0:
            continue
        slots = order[start : start + count]
        start += count
        rows = slots // topK
        made = torch.relu(x[rows] @ up[expert].T).square() @ down[expert].T
        out.index_add_(0, rows, made * combine.flatten()[slots].unsqueeze(1))


def masked_experts(x, best, combine, up, down, out):
    """Looks for each expert's tokens in a mask [experts, topK, tokens], as NemotronHMoE of Hugging Face transformers does."""
    mask = torch.nn.functional.one_hot(best, num_classes=len(up)).permute(2, 1, 0)
    for expert in range(len(up)):
        slots, rows = torch.where(mask[expert])
        if rows.numel() == 0:
            continue
        hidden = torch.relu(torch.nn.functional.linear(x[rows], up[expert])).square()
        made = torch.nn.functional.linear(hidden, down[expert])
        out.index_add_(0, rows, made * combine[rows, slots].unsqueeze(1))


def torch_layer(by, tokens, weights, topK, scale, hiddenSize, width, experts):
    """Routes, then for each expert: its tokens, two matrices, relu2, and what it gives added to the output."""
    add_experts = {"sorted": sorted_experts, "masked": masked_experts}[by]
    batches = [torch.from_numpy(read(path, -1, hiddenSize)) for path in tokens]
    shapes = {
        "router": (experts, hiddenSize),
        "correctionBias": (experts,),
        "upProj": (experts, width, hiddenSize),
        "downProj": (experts, hiddenSize, width),
        "sharedUpProj": (2 * width, hiddenSize),
        "sharedDownProj": (hiddenSize, 2 * width),
    }
    router, bias, up, down, shared_up, shared_down = (
        torch.from_numpy(read(weights[name], *shape)) for name, shape in shapes.items()
    )

    def step(turn):
        x = batches[turn % len(batches)]
        scores = torch.sigmoid(x @ router.T)
        best = torch.topk(scores + bias, topK, dim=1)[1]
        combine = scores.gather(1, best)
        combine = combine / combine.sum(1, keepdim=True) * scale
        out = torch.relu(x @ shared_up.T).square() @ shared_down.T
        add_experts(x, best, combine, up, down, out)
        return (out,)

    return step


def torch_eplb(loads, replicas, groups, nodes, ranks):
    """rebalance_experts of deepseek-ai/EPLB; needs its eplb.py on PYTHONPATH."""
    from eplb import rebalance_experts

    batches = [torch.tensor(turn) for turn in loads]
    return lambda turn: rebalance_experts(batches[turn % len(batches)], replicas, groups, nodes, ranks)


kinds = {"numpy_route": numpy_route}
if torch is not None:
    kinds |= {kind.__name__: kind for kind in (torch_route, torch_simulate, torch_layer, torch_eplb)}
contenders = {}


def make(name, kind, options):
    if kind not in kinds:
        return {"missing": "torch"}
    try:
        contenders[name] = kinds[kind](**options)
    except ImportError as error:
        return {"missing": error.name}
    return {}


def run(name, turn):
    contender = contenders[name]
    start = time.perf_counter()
    contender(turn)
    return {"ms": (time.perf_counter() - start) * 1000}


def show(name):
    as_bytes = (np.ascontiguousarray(value).tobytes() for value in contenders[name](0))
    return {"arrays": [base64.b64encode(value).decode() for value in as_bytes]}


def versions():
    torch_version = {} if torch is None else {"torch": torch.__version__}
    eplb = importlib.util.find_spec("eplb") is not None
    return {"numpy": np.__version__, "blas": blas(), "eplb": eplb, **torch_version}


commands = {"make": make, "run": run, "show": show, "versions": versions}
for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps(commands[command.pop("do")](**command)), flush=True)
