#!/usr/bin/env python3
"""Checks that model directories written by Weights.SaveAs are read by other people's tools.

    SEEDLING_SAVE_GOLDEN=/tmp/saved go test -run TestWriteForTransformers ./engine/model
    python3 engine/model/testdata/check_transformers.py /tmp/saved

The test saves the golden model as /tmp/saved/f32, bf16 and i8. This script loads all
three with safetensors, the first two with AutoModelForCausalLM, compares weights and
logits with the golden ones, and makes sure that transformers refuses the third (it
would take the integers for weights).
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

saved = pathlib.Path(sys.argv[1])
golden = pathlib.Path(__file__).resolve().parent / "golden"
want = load_file(golden / "model.safetensors")
info = json.loads((golden / "golden.json").read_text())
tokens = torch.tensor(info["tokens"])[None]
logits = torch.from_numpy(np.fromfile(golden / info["logits"], "<f4").reshape(-1, info["vocab"]).copy())


def network(directory):
    net, report = AutoModelForCausalLM.from_pretrained(directory, output_loading_info=True)
    bad = {k: v for k, v in report.items() if v}
    assert not bad, bad
    return net.eval()


# F32: the same bytes, the same logits.
got = load_file(saved / "f32" / "model.safetensors")
assert got.keys() == want.keys() and all(torch.equal(got[k], want[k]) for k in want)
net = network(saved / "f32")
assert type(net).__name__ == "Qwen3ForCausalLM" and net.dtype == torch.float32
with torch.no_grad():
    worst = (net(tokens).logits[0] - logits).abs().max().item()
print(f"f32: {len(got)} tensors equal; logits differ by {worst:.1e}")
assert worst < 1e-4

# BF16: rounded as torch rounds, loaded as bfloat16; run in fp32 to compare.
got = load_file(saved / "bf16" / "model.safetensors")
assert got.keys() == want.keys() and all(torch.equal(got[k], want[k].bfloat16()) for k in want)
net = network(saved / "bf16")
assert net.dtype == torch.bfloat16
with torch.no_grad():
    worst = (net.float()(tokens).logits[0] - logits).abs().max().item()
print(f"bf16: {len(got)} tensors rounded as torch does; logits differ by {worst:.1e}")
assert worst < 0.5

# I8: what numpy makes by the rule in quantize.go; offsets aligned; metadata there.
got = load_file(saved / "i8" / "model.safetensors")
for name, w in want.items():
    if w.dim() == 1:
        assert torch.equal(got.pop(name), w)
        continue
    w = w.numpy()
    scale = (np.abs(w).max(1).astype("f8") / 127).astype("f4")
    q = np.rint(w.astype("f8") / scale.astype("f8")[:, None]).astype("i1")
    assert np.array_equal(got.pop(name + "_scale").numpy(), scale), name
    assert np.array_equal(got.pop(name).numpy(), q), name
assert not got, got.keys()
with safe_open(saved / "i8" / "model.safetensors", "np") as f:
    assert f.metadata() == {"format": "pt"}
print("i8: integers and scales as numpy makes them")
try:
    AutoModelForCausalLM.from_pretrained(saved / "i8")
except Exception as err:
    print(f"i8: refused by transformers: {type(err).__name__}: {str(err).splitlines()[0][:120]}")
else:
    sys.exit("transformers loads the int8 directory: it would run on integers")
