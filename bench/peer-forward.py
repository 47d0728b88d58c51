"""PyTorch's plain forward pass over the same weights, mapped: the peer of bench/forward.ts and, on CUDA, of bench/devices.ts. Prints one
line of JSON.

python3 peer-forward.py MODEL_FOLDER ROUNDS ID,ID,... [cpu | cuda] [float32 | float16] : float32 checkpoints of Gemma-2's and GPT-2's
architecture. On CUDA the rate of a large product of matrices and of copying in the device's memory are measured as well.
"""
import json
import math
import os
import statistics
import sys
import time
import warnings

import numpy as np
import torch
import torch.nn.functional as F

warnings.filterwarnings("ignore")
torch.set_num_threads(os.cpu_count())
torch.set_grad_enabled(False)


def read_weights(path, device, dtype):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    mapped = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)
    weights = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", "the peer reads float32"
        weights[name] = torch.from_numpy(mapped[start:end].view(np.float32).reshape(entry["shape"])).to(device, dtype)
    return weights


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * (1 + weight)


def gemma2(weights, config, ids):
    d_head, heads, groups = config["head_dim"], config["num_attention_heads"], config["num_key_value_heads"]
    eps, n = config["rms_norm_eps"], len(ids)
    embedding = weights["model.embed_tokens.weight"]
    frequencies = config["rope_theta"] ** (-torch.arange(0, d_head, 2).float() / d_head)
    angles = torch.outer(torch.arange(n).float(), frequencies).repeat(1, 2)
    cos, sin = angles.cos().to(embedding), angles.sin().to(embedding)
    mask = torch.full((n, n), -math.inf).triu(1).to(embedding)

    def rotate(x):
        half = torch.cat((-x[..., d_head // 2 :], x[..., : d_head // 2]), -1)
        return x * cos + half * sin

    x = embedding[torch.tensor(ids)] * config["hidden_size"] ** 0.5
    for layer in range(config["num_hidden_layers"]):
        w = lambda name: weights[f"model.layers.{layer}.{name}.weight"]
        h = rms_norm(x, w("input_layernorm"), eps)
        q = rotate(F.linear(h, w("self_attn.q_proj")).view(n, heads, d_head).transpose(0, 1))
        k = rotate(F.linear(h, w("self_attn.k_proj")).view(n, groups, d_head).transpose(0, 1))
        v = F.linear(h, w("self_attn.v_proj")).view(n, groups, d_head).transpose(0, 1)
        k, v = k.repeat_interleave(heads // groups, 0), v.repeat_interleave(heads // groups, 0)
        scores = q @ k.transpose(1, 2) / config["query_pre_attn_scalar"] ** 0.5
        scores = torch.tanh(scores / config["attn_logit_softcapping"]) * config["attn_logit_softcapping"] + mask
        z = (scores.softmax(-1) @ v).transpose(0, 1).reshape(n, heads * d_head)
        x = x + rms_norm(F.linear(z, w("self_attn.o_proj")), w("post_attention_layernorm"), eps)
        h = rms_norm(x, w("pre_feedforward_layernorm"), eps)
        h = F.gelu(F.linear(h, w("mlp.gate_proj")), approximate="tanh") * F.linear(h, w("mlp.up_proj"))
        x = x + rms_norm(F.linear(h, w("mlp.down_proj")), w("post_feedforward_layernorm"), eps)
    logits = F.linear(rms_norm(x, weights["model.norm.weight"], eps), embedding)
    return torch.tanh(logits / config["final_logit_softcapping"]) * config["final_logit_softcapping"]


def gpt2(weights, config, ids):
    heads, width, n = config["n_head"], config["n_embd"], len(ids)
    eps = config["layer_norm_epsilon"]
    mask = torch.full((n, n), -math.inf).triu(1).to(weights["wte.weight"])
    x = weights["wte.weight"][torch.tensor(ids)] + weights["wpe.weight"][:n]
    for layer in range(config["n_layer"]):
        w = lambda name: weights[f"h.{layer}.{name}"]
        h = F.layer_norm(x, (width,), w("ln_1.weight"), w("ln_1.bias"), eps)
        q, k, v = (
            part.view(n, heads, -1).transpose(0, 1)
            for part in torch.addmm(w("attn.c_attn.bias"), h, w("attn.c_attn.weight")).split(width, -1)
        )
        pattern = (q @ k.transpose(1, 2) / (width // heads) ** 0.5 + mask).softmax(-1)
        z = (pattern @ v).transpose(0, 1).reshape(n, width)
        x = x + torch.addmm(w("attn.c_proj.bias"), z, w("attn.c_proj.weight"))
        h = F.layer_norm(x, (width,), w("ln_2.weight"), w("ln_2.bias"), eps)
        h = F.gelu(torch.addmm(w("mlp.c_fc.bias"), h, w("mlp.c_fc.weight")), approximate="tanh")
        x = x + torch.addmm(w("mlp.c_proj.bias"), h, w("mlp.c_proj.weight"))
    return F.linear(F.layer_norm(x, (width,), weights["ln_f.weight"], weights["ln_f.bias"], eps), weights["wte.weight"])


def wait_for(device):
    if device == "cuda":
        torch.cuda.synchronize()


def median_seconds(device, rounds, work):
    """Of `rounds` after as many that warm up, three at most."""
    seconds = []
    for _ in range(min(rounds, 3)):
        work()
    for _ in range(rounds):
        wait_for(device)
        started = time.perf_counter()
        work()
        wait_for(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def limits_of(dtype):
    """1e9 operations a second of one large product, and 1e9 bytes a second of a copy, read and written, on CUDA."""
    a, b = (torch.randn(8192, 8192, device="cuda").to(dtype) for _ in range(2))
    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    product = median_seconds("cuda", 5, lambda: a @ b)
    copy = median_seconds("cuda", 5, lambda: target.copy_(source))
    return {"gemm": 2 * 8192**3 / product / 1e9, "copy": 2 * source.numel() / copy / 1e9, "device": torch.cuda.get_device_name()}


def main(folder, rounds, ids, device="cpu", dtype="float32"):
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    forward = {"gemma2": gemma2, "gpt2": gpt2}[config["model_type"]]
    weights = read_weights(os.path.join(folder, "model.safetensors"), device, getattr(torch, dtype))
    seconds = median_seconds(device, rounds, lambda: forward(weights, config, ids).float().log_softmax(-1))
    log_probs = forward(weights, config, ids).float().log_softmax(-1).cpu()
    picked = log_probs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
    measures = {
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
        "milliseconds": 1000 * seconds,
        "loss": float(-picked.mean()),
        **(limits_of(getattr(torch, dtype)) if device == "cuda" else {}),
    }
    print(json.dumps(measures))


main(sys.argv[1], int(sys.argv[2]), [int(each) for each in sys.argv[3].split(",")], *sys.argv[4:])
