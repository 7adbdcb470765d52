#!/usr/bin/env python3
"""Makes the golden files described in README.md, next to this script.

    python3 engine/model/testdata/make_golden.py

Needs torch, transformers (>= 5) and safetensors. Everything is derived from SEED; on
another version of torch the random numbers, and so all files, may differ: commit them
together or not at all. The script checks itself before it writes: its plain forward
pass must agree with transformers, causally and with the canvas's attention mask.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import Qwen3Config, Qwen3ForCausalLM

SEED = 20261123
HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
STEP = HERE.parent.parent / "train" / "testdata" / "golden_step"

# Heads x head_dim (64) differs from d (48) on purpose: a forward pass that confuses
# the two fails. 48 and 96 are no multiples of 32 or 64 either, so that kernels show
# their tails.
D, FF, LAYERS, HEADS, KV, HEAD_DIM, VOCAB, POSITIONS = 48, 96, 2, 4, 2, 16, 320, 64
EPS, THETA = 1e-6, 10000.0
MASK, END, FIRST_TEXT = 0, 1, 9  # ids 0..8 are the special tokens

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": D,
    "intermediate_size": FF,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV,
    "head_dim": HEAD_DIM,
    "vocab_size": VOCAB,
    "max_position_embeddings": POSITIONS,
    "rms_norm_eps": EPS,
    "rope_theta": THETA,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "attention_bias": False,
    "torch_dtype": "float32",
    "bos_token_id": None,
    "eos_token_id": END,
    "seedling": {
        "version": 1,
        "context_attention": "causal",
        "commit": "reread",
        "shift": False,
        "canvas_mark": True,
        "block_size": 8,
        "revises": True,
        "tokens": {
            "mask": 0, "end": 1, "suffix": 2, "prefix": 3, "draft": 4,
            "path": 5, "repo": 6, "delete": 7, "insert": 8,
        },
    },
}


def random_weights(gen):
    """Weights large enough that attention is not uniform and SiLU not linear."""

    def normal(*shape, std):
        return torch.randn(*shape, generator=gen) * std

    def norm(n):
        return 1 + normal(n, std=0.2)

    w = {"model.embed_tokens.weight": normal(VOCAB, D, std=0.3)}
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        w[p + "input_layernorm.weight"] = norm(D)
        w[p + "self_attn.q_proj.weight"] = normal(HEADS * HEAD_DIM, D, std=0.15)
        w[p + "self_attn.k_proj.weight"] = normal(KV * HEAD_DIM, D, std=0.15)
        w[p + "self_attn.v_proj.weight"] = normal(KV * HEAD_DIM, D, std=0.15)
        w[p + "self_attn.q_norm.weight"] = norm(HEAD_DIM)
        w[p + "self_attn.k_norm.weight"] = norm(HEAD_DIM)
        w[p + "self_attn.o_proj.weight"] = normal(D, HEADS * HEAD_DIM, std=0.12)
        w[p + "post_attention_layernorm.weight"] = norm(D)
        w[p + "mlp.gate_proj.weight"] = normal(FF, D, std=0.15)
        w[p + "mlp.up_proj.weight"] = normal(FF, D, std=0.15)
        w[p + "mlp.down_proj.weight"] = normal(D, FF, std=0.12)
    w["model.norm.weight"] = norm(D)
    return {k: v.contiguous() for k, v in w.items()}


def rms_norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * weight


def rope(x, pos):
    """x [heads, T, head_dim], pos [T]; rotate-half: pairs are (i, i + head_dim/2)."""
    half = HEAD_DIM // 2
    freq = THETA ** (-torch.arange(half, dtype=torch.float64) * 2 / HEAD_DIM)
    angle = pos.to(torch.float64)[:, None] * freq
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def forward(w, x, pos, allow):
    """Logits [T, VOCAB] of rows x [T, D] at positions pos [T]; allow [T, T] is true
    where the row (query) may attend to the column (key)."""
    t = x.shape[0]
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        h = rms_norm(x, w[p + "input_layernorm.weight"])

        def heads(name, n):
            y = h @ w[p + f"self_attn.{name}_proj.weight"].T
            return y.view(t, n, HEAD_DIM)

        q = rope(rms_norm(heads("q", HEADS), w[p + "self_attn.q_norm.weight"]).transpose(0, 1), pos)
        k = rope(rms_norm(heads("k", KV), w[p + "self_attn.k_norm.weight"]).transpose(0, 1), pos)
        v = heads("v", KV).transpose(0, 1)
        k = k.repeat_interleave(HEADS // KV, 0)  # query head n uses key head n // (HEADS/KV)
        v = v.repeat_interleave(HEADS // KV, 0)
        score = q @ k.transpose(1, 2) / math.sqrt(HEAD_DIM)
        score = score.masked_fill(~allow, -math.inf)
        out = (score.softmax(-1) @ v).transpose(0, 1).reshape(t, HEADS * HEAD_DIM)
        x = x + out @ w[p + "self_attn.o_proj.weight"].T
        h = rms_norm(x, w[p + "post_attention_layernorm.weight"])
        g = F.silu(h @ w[p + "mlp.gate_proj.weight"].T) * (h @ w[p + "mlp.up_proj.weight"].T)
        x = x + g @ w[p + "mlp.down_proj.weight"].T
    return rms_norm(x, w["model.norm.weight"]) @ w["model.embed_tokens.weight"].T


def canvas_input(embed, tokens):
    """Rows of a canvas: E[mask] where masked, E[token] + E[mask] where visible."""
    visible = (tokens != MASK).to(embed.dtype)[:, None]
    return embed[MASK] + visible * embed[tokens]


def canvas_mask(n, c):
    """n context rows, causal, then c canvas rows that see everything."""
    allow = torch.ones(n + c, n + c, dtype=torch.bool).tril()
    allow[n:, :] = True
    return allow


def write_f32(path, t):
    path.write_bytes(t.detach().to(torch.float32).contiguous().numpy().astype("<f4").tobytes())


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    gen = torch.Generator().manual_seed(SEED)
    w = random_weights(gen)
    w64 = {k: v.double() for k, v in w.items()}
    GOLDEN.mkdir(parents=True, exist_ok=True)
    STEP.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    save_file(w, GOLDEN / "model.safetensors", metadata={"format": "pt"})

    # transformers loads the files just written: a wrong name or key shows here.
    # eager: the one attention that takes any mask.
    net = Qwen3ForCausalLM.from_pretrained(GOLDEN, dtype=torch.float32, attn_implementation="eager").eval()
    assert isinstance(net.config, Qwen3Config) and net.config.rope_parameters["rope_theta"] == THETA

    # Causal logits, by transformers in fp32.
    tokens = torch.randint(FIRST_TEXT, VOCAB, (48,), generator=gen)
    tokens[0], tokens[1], tokens[30] = 5, 3, END  # special tokens are embeddings like any other
    with torch.no_grad():
        logits = net(tokens[None]).logits[0]
        plain = forward(w64, w64["model.embed_tokens.weight"][tokens], torch.arange(48), canvas_mask(48, 0))
    worst = (logits.double() - plain).abs().max().item()
    print(f"causal: fp64 plain against transformers fp32: {worst:.2e}; logits span {logits.min():.2f}..{logits.max():.2f}")
    assert worst < 5e-5
    write_f32(GOLDEN / "logits.bin", logits)

    # Canvas logits, by the plain code in fp64, checked against transformers in fp32.
    text = lambda n: torch.randint(FIRST_TEXT, VOCAB, (n,), generator=gen)
    mixed = text(8)
    mixed[torch.tensor([1, 2, 5, 7])] = MASK
    cases = []
    for name, n, canvas in [
        ("masked", 1, torch.full((8,), MASK)),
        ("mixed", 20, mixed),
        ("visible", 43, text(5)),
    ]:
        c = len(canvas)
        with torch.no_grad():
            embed = w64["model.embed_tokens.weight"]
            x = torch.cat([embed[tokens[:n]], canvas_input(embed, canvas)])
            out = forward(w64, x, torch.arange(n + c), canvas_mask(n, c))
            bias = torch.zeros(n + c, n + c).masked_fill(~canvas_mask(n, c), torch.finfo(torch.float32).min)
            other = net(inputs_embeds=x.float()[None], attention_mask=bias[None, None],
                        position_ids=torch.arange(n + c)[None]).logits[0]
        worst = (other.double() - out).abs().max().item()
        # The context's logits must not know of the canvas.
        leak = (out[:n] - plain[:n]).abs().max().item()
        print(f"canvas {name}: against transformers {worst:.2e}, context changed by {leak:.1e}")
        assert worst < 5e-5 and leak < 1e-12
        file = f"canvas_{name}.bin"
        write_f32(GOLDEN / file, out[n:])
        cases.append({"name": name, "context": n, "tokens": canvas.tolist(), "file": file})

    (GOLDEN / "golden.json").write_text(json.dumps({
        "vocab": VOCAB,
        "mask": MASK,
        "tokens": tokens.tolist(),
        "logits": "logits.bin",
        "canvas": cases,
    }) + "\n")

    golden_step(w64, gen)


def golden_step(w64, gen):
    """One training step of two streams, in fp64 (README.md, "golden_step")."""
    length = 40
    clean = torch.randint(FIRST_TEXT, VOCAB, (length,), generator=gen)
    clean[0], clean[length - 1] = 3, END
    rows = []
    # Two blocks. In the first, random masks (weight 1/u), one visible right token with
    # weight 0 per unmasked place; in the second, masks and two visible tokens that are
    # asked for too, one of them wrong (an edit).
    first = {9: True, 10: False, 11: True, 12: True, 13: False, 14: True, 15: False, 16: True}
    u = sum(first.values()) / len(first)
    for pos, masked in first.items():
        rows.append((0, pos, MASK if masked else clean[pos].item(), 1 / u if masked else 0.0))
    wrong = FIRST_TEXT + (clean[26].item() - FIRST_TEXT + 17) % (VOCAB - FIRST_TEXT)
    rows += [(1, 24, MASK, 2.0), (1, 25, clean[25].item(), 0.5), (1, 26, wrong, 0.75), (1, 27, MASK, 2.0)]
    block, pos, inp, weight = (list(x) for x in zip(*rows))
    start = {b: min(p for bb, p in zip(block, pos) if bb == b) for b in set(block)}
    target = clean[torch.tensor(pos)]
    m = len(rows)

    allow = torch.zeros(length + m, length + m, dtype=torch.bool)
    allow[:length, :length] = torch.ones(length, length, dtype=torch.bool).tril()
    for i in range(m):
        allow[length + i, : start[block[i]]] = True
        for j in range(m):
            allow[length + i, length + j] = block[i] == block[j]

    params = {k: v.clone().requires_grad_() for k, v in w64.items()}
    embed = params["model.embed_tokens.weight"]
    x = torch.cat([embed[clean], canvas_input(embed, torch.tensor(inp))])
    positions = torch.cat([torch.arange(length), torch.tensor(pos)])
    logits = forward(params, x, positions, allow)
    forbid = torch.zeros(VOCAB, dtype=torch.bool)
    forbid[MASK] = True
    logp = logits.masked_fill(forbid, -math.inf).log_softmax(-1)
    ar_ce = -logp[: length - 1].gather(1, clean[1:, None])[:, 0]
    mask_ce = -logp[length:].gather(1, target[:, None])[:, 0]
    l_ar = ar_ce.mean()
    l_mask = (torch.tensor(weight, dtype=torch.float64) * mask_ce).sum() / m
    loss = l_ar + l_mask
    loss.backward()

    # The gradient is checked against a central difference along a random direction.
    direction = {k: torch.randn(v.shape, generator=gen, dtype=torch.float64) for k, v in params.items()}
    slope = sum((params[k].grad * direction[k]).sum() for k in params).item()

    def at(h):
        p = {k: (v.detach() + h * direction[k]) for k, v in params.items()}
        e = p["model.embed_tokens.weight"]
        x = torch.cat([e[clean], canvas_input(e, torch.tensor(inp))])
        lp = forward(p, x, positions, allow).masked_fill(forbid, -math.inf).log_softmax(-1)
        a = -lp[: length - 1].gather(1, clean[1:, None])[:, 0].mean()
        b = -lp[length:].gather(1, target[:, None])[:, 0]
        return (a + (torch.tensor(weight, dtype=torch.float64) * b).sum() / m).item()

    with torch.no_grad():
        numeric = (at(1e-6) - at(-1e-6)) / 2e-6
    print(f"step: loss {loss.item():.9f} = ar {l_ar.item():.9f} + mask {l_mask.item():.9f}; "
          f"slope {slope:.8f}, by differences {numeric:.8f}")
    assert abs(slope - numeric) < 1e-5 * abs(slope)

    save_file({k: v.grad.float().contiguous() for k, v in params.items()}, STEP / "grads.safetensors")
    (STEP / "step.json").write_text(json.dumps({
        "model": "engine/model/testdata/golden",
        "forbid": [MASK],
        "clean": clean.tolist(),
        "blocks": [{"start": start[b], "size": sum(x == b for x in block)} for b in sorted(start)],
        "noised": [
            {"block": b, "pos": p, "input": i, "target": t, "weight": wt}
            for b, p, i, t, wt in zip(block, pos, inp, target.tolist(), weight)
        ],
        "loss": {"total": loss.item(), "ar": l_ar.item(), "mask": l_mask.item()},
        "ar_ce": ar_ce.tolist(),
        "noised_ce": mask_ce.tolist(),
        "grad_norm": math.sqrt(sum(v.grad.pow(2).sum().item() for v in params.values())),
    }, indent=1) + "\n")


if __name__ == "__main__":
    main()
