#!/usr/bin/env python3
"""Writes golden.words.crc32: for each text of golden.texts.gz (make_golden.py) the CRC-32
(little-endian) of the byte offsets (int32, little-endian) at which the tokenizers library
ends its pieces by SmolLM's pre-tokenizer: digits apart, then GPT-2's pattern.

usage: python3 make_golden_words.py            (with `pip install tokenizers`)
"""
import gzip
import json
import pathlib
import struct
import zlib

from tokenizers import pre_tokenizers

here = pathlib.Path(__file__).parent
split = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
sums = b""
for line in gzip.open(here / "golden.texts.gz", "rt", encoding="utf-8", newline="\n"):
    text = json.loads(line)
    ends, at = [], 0
    for piece, _ in split.pre_tokenize_str(text):
        at += len(piece)  # a character of GPT-2's alphabet a byte
        ends.append(at)
    assert at == len(text.encode()), text
    sums += struct.pack("<I", zlib.crc32(struct.pack(f"<{len(ends)}i", *ends)))
(here / "golden.words.crc32").write_bytes(sums)
