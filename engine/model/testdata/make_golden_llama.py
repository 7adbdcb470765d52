#!/usr/bin/env python3
"""Writes golden_llama/: a tiny Llama as llama.cpp's own writer puts it into a GGUF file, what
transformers' LlamaForCausalLM computes with the same weights, and each block format as
llama.cpp's Python decodes it.

    model.gguf          rows of q and k permuted as convert_hf_to_gguf.py does, tensors in
                        all formats that Python quantizes to, a byte-level BPE vocabulary
                        that lacks three bytes
    golden.json         tokens, and the mean causal loss
    logits.f32          [tokens, vocabulary]
    grads.safetensors   of the mean causal loss
    blocks.json         by format: bytes (hex) of 256 values, and the values (hex, float32)

usage: python3 make_golden_llama.py    (pip install gguf torch transformers tokenizers safetensors)
"""
import json
import pathlib

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from gguf import GGUFReader, quants
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

out = pathlib.Path(__file__).parent / "golden_llama"
torch.manual_seed(7)
rng = np.random.default_rng(7)
D, FF, LAYERS, HEADS, KV, HD, POS, THETA, EPS = 96, 32, 2, 3, 1, 16, 64, 10000.0, 1e-5

# A vocabulary: BPE trained on this file, all bytes but three, two special tokens.
tok = Tokenizer(models.BPE())
tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
tok.train_from_iterator([pathlib.Path(__file__).read_text()], trainers.BpeTrainer(
    vocab_size=290, special_tokens=["<|endoftext|>", "<filename>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
spec = json.loads(tok.to_str())["model"]
# Three bytes that no merge uses go.
drop = {pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(c)[0][0] for c in "\x04\x06\x13"}
tokens = [t for t, _ in sorted(spec["vocab"].items(), key=lambda x: x[1]) if t not in drop]
merges = [" ".join(m) if isinstance(m, list) else m for m in spec["merges"]]
V = len(tokens)

config = LlamaConfig(vocab_size=V, hidden_size=D, intermediate_size=FF, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                     num_key_value_heads=KV, head_dim=HD, max_position_embeddings=POS, rms_norm_eps=EPS, tie_word_embeddings=True,
                     rope_parameters={"rope_type": "default", "rope_theta": THETA}, attention_bias=False, mlp_bias=False)
model = LlamaForCausalLM(config).float().eval()
state = {k: v for k, v in model.state_dict().items() if k != "lm_head.weight"}
for name, w in state.items():
    r = torch.randn(w.shape)
    state[name] = 1 + 0.1 * r if w.dim() == 1 else r * (0.1 if "embed" in name else w.shape[1] ** -0.5)


def permute(w, heads):
    return w.reshape(heads, 2, w.shape[0] // heads // 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


names = {"model.embed_tokens.weight": ("token_embd.weight", Q.Q8_0), "model.norm.weight": ("output_norm.weight", Q.F32)}
for i in range(LAYERS):
    for theirs, ours, q in [("input_layernorm", "attn_norm", Q.F32), ("self_attn.q_proj", "attn_q", Q.Q4_1), ("self_attn.k_proj", "attn_k", Q.Q5_1),
                            ("self_attn.v_proj", "attn_v", Q.Q4_0), ("self_attn.o_proj", "attn_output", Q.F16),
                            ("post_attention_layernorm", "ffn_norm", Q.F32), ("mlp.gate_proj", "ffn_gate", Q.Q5_0),
                            ("mlp.up_proj", "ffn_up", Q.BF16), ("mlp.down_proj", "ffn_down", Q.F32)]:
        names[f"model.layers.{i}.{theirs}.weight"] = (f"blk.{i}.{ours}.weight", q)

w = gguf.GGUFWriter(out / "model.gguf", "llama")
w.add_block_count(LAYERS)
w.add_context_length(POS)
w.add_embedding_length(D)
w.add_feed_forward_length(FF)
w.add_head_count(HEADS)
w.add_head_count_kv(KV)
w.add_key_length(HD)
w.add_value_length(HD)
w.add_layer_norm_rms_eps(EPS)
w.add_rope_freq_base(THETA)
w.add_rope_dimension_count(HD)
w.add_vocab_size(V)
w.add_tokenizer_model("gpt2")
w.add_tokenizer_pre("smollm")
w.add_token_list(tokens)
w.add_token_types([3 if t.startswith("<|") or t == "<filename>" else 1 for t in tokens])
w.add_token_merges(merges)
w.add_eos_token_id(0)
for name, t in state.items():
    a, (to, q) = t.numpy(), names[name]
    if "q_proj" in name or "k_proj" in name:
        a = permute(a, HEADS if "q_proj" in name else KV)
    w.add_tensor(to, quants.quantize(a, q), raw_dtype=q)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

# The weights as the file has them from here on.
back = {to: name for name, (to, _) in names.items()}
for t in GGUFReader(out / "model.gguf").tensors:
    a = np.array(quants.dequantize(t.data, t.tensor_type))
    if "attn_q" in t.name or "attn_k" in t.name:
        heads = HEADS if "attn_q" in t.name else KV
        a = a.reshape(heads, HD // 2, 2, D).swapaxes(1, 2).reshape(a.shape)
    state[back[t.name]] = torch.tensor(a.astype(np.float32)).reshape(state[back[t.name]].shape)
model.load_state_dict(state, strict=False)
model.tie_weights()

ids = torch.tensor(rng.integers(9, V, 40))
logits = model(ids[None]).logits[0]
loss = torch.nn.functional.cross_entropy(logits[:-1].index_fill(1, torch.tensor([0]), -1e30), ids[1:])
loss.backward()
(out / "logits.f32").write_bytes(logits.detach().numpy().astype("<f4").tobytes())
(out / "golden.json").write_text(json.dumps({"tokens": ids.tolist(), "loss": loss.item(), "forbidden": 0}) + "\n")
save_file({k: p.grad.contiguous() for k, p in model.named_parameters() if p.grad is not None}, out / "grads.safetensors")

blocks = {}
for q in [Q.F32, Q.F16, Q.BF16, Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q4_K, Q.Q6_K]:
    if q in (Q.Q4_K, Q.Q6_K):  # Python only decodes these: any bytes, with scales that are no NaN
        raw = rng.integers(0, 256, gguf.GGML_QUANT_SIZES[q][1], dtype=np.uint8)
        scale = np.array([0.013, -0.4], dtype="<f2").view(np.uint8)
        if q == Q.Q4_K:
            raw[:4] = scale
        else:
            raw[-2:] = scale[:2]
    else:
        raw = quants.quantize(rng.standard_normal((1, 256)).astype(np.float32), q).view(np.uint8).reshape(-1)
    value = quants.dequantize(raw.reshape(1, -1) if q not in (Q.F32, Q.F16) else raw.view({Q.F32: "<f4", Q.F16: "<f2"}[q]), q).astype("<f4")
    blocks[q.name] = {"raw": raw.tobytes().hex(), "values": value.tobytes().hex()}
(out / "blocks.json").write_text(json.dumps(blocks, indent=1) + "\n")
