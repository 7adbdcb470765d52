#!/usr/bin/env python3
"""Writes golden.texts.gz, 10,000 texts (one JSON string a line), and golden.crc32, for each
the CRC-32 (little-endian) of the ids that the tokenizers library gives it (as int32,
little-endian). A sum tells as well as the ids would whether they are the same, and a newly
trained vocabulary changes 40 KB here and not a megabyte.

usage: python3 make_golden.py            (with `pip install tokenizers`, 0.20 or newer)

The texts are made up here, by a seeded generator: lines of code of several languages,
prose in many scripts, and what breaks tokenizers - carriage returns alone and doubled,
mixed indentation, emoji with joiners, combining marks, control characters, names of
special tokens. The ids come from the library with the built-in model's tokenizer.json, read
so that special tokens in a text are text (which is what the engine needs). The library
takes str only, so bytes that are not UTF-8 are not covered here.
"""
import gzip
import json
import pathlib
import random
import struct
import zlib

from tokenizers import Tokenizer

here = pathlib.Path(__file__).parent
rng = random.Random(20240803)

WORDS = """get set new open close read write parse build node tree list map key value index item count total size
limit start stop state event handler request response client server config option error result context buffer line
token model batch layer query user name path file data text byte point range match merge split join find replace
insert delete update cache store load save run test check valid empty first last next prev left right parent child
""".split()
SPECIAL = "<|mask|> <|end|> <|suffix|> <|prefix|> <|draft|> <|path|> <|repo|> <|delete|> <|insert|>".split()
PROSE = [
    "你好,世界。这是一个测试", "日本語のテキストです。カタカナ", "한국어 문장입니다", "Привет, мир! Ёлка", "Γειά σου Κόσμε",
    "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "Ça va très bien, naïve façade", "Größe über Maß",
    "İstanbul ığdır", "e\u0301\u0301 a\u0308", "ﬁ ligature ½ ⅓ ²", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒯", "“quoted” — dashed… ‘x’",
]
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇯🇵🇫🇷", "❤️", "🧑🏿‍🚀", "#️⃣"]
ODD = ["\x00", "\x01", "\x07", "\x0b", "\x0c", "\x1b[31m", "\x7f", "\x85", "\xa0", "\xad", "\u2028", "\u2029", "\u200b",
       "\ufeff", "\ufffd", "\ue000", "\U000f0000", "\U0010ffff", "\u0130", "\u1e9e", "Ġ", "Ċ", "Ā"]
ENDS = ["\n", "\n", "\n", "\r\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\n\r", "\r\r\n", ""]


def word():
    return rng.choice(WORDS)


def name():
    parts = [word() for _ in range(rng.choice([1, 1, 2, 2, 3]))]
    style = rng.randrange(5)
    if style == 0:
        return "_".join(parts)
    if style == 1:
        return "".join(p.title() for p in parts)
    if style == 2:
        return "_".join(parts).upper()
    return parts[0] + "".join(p.title() for p in parts[1:]) + rng.choice(["", "", "", "2", "_", "64"])


def number():
    return rng.choice([str(rng.randrange(10)), str(rng.randrange(10**rng.randrange(1, 12))), hex(rng.getrandbits(32)),
                       f"{rng.random():.{rng.randrange(1, 9)}f}", f"{rng.randrange(1, 99)}e-{rng.randrange(20)}", "1_000_000"])


def expr(depth=0):
    kind = rng.randrange(9 if depth < 3 else 4)
    if kind == 0:
        return number()
    if kind == 1:
        return rng.choice('"\'`') + " ".join(word() for _ in range(rng.randrange(4))) + rng.choice('"\'`')
    if kind in (2, 3):
        return name()
    if kind == 4:
        return f"{name()}.{name()}({', '.join(expr(depth + 1) for _ in range(rng.randrange(3)))})"
    if kind == 5:
        return f"{expr(depth + 1)} {rng.choice(['+', '-', '*', '//', '==', '!=', '&&', '||', 'and', '<<', '%', ':='])} {expr(depth + 1)}"
    if kind == 6:
        return f"{name()}[{expr(depth + 1)}]"
    if kind == 7:
        return "{" + f"{name()}: {expr(depth + 1)}" + "}"
    return f"({expr(depth + 1)})"


def code():
    return rng.choice([
        lambda: f"if err := {expr()}; err != nil {{",
        lambda: f"return nil, fmt.Errorf(\"{word()} %s: %w\", {name()}, err)",
        lambda: f"func ({word()[0]} *{name()}) {name()}({name()} {name()}) error {{",
        lambda: f"for {word()[0]}, {name()} := range {expr()} {{",
        lambda: f"def {name()}(self, {name()}: {name()} = {expr()}) -> {name()}:",
        lambda: f"{name()} = [{name()} for {word()} in {expr()} if {expr()}]",
        lambda: f"{name()} := {expr()}",
        lambda: f"// {' '.join(word() for _ in range(rng.randrange(1, 12)))}.",
        lambda: f"# {' '.join(word() for _ in range(rng.randrange(1, 12)))}!",
        lambda: f"const {name()} = ({name()}) => {expr()};",
        lambda: f"std::vector<{name()}*>& {name()} = {expr()};",
        lambda: f"let mut {name()}: &'a {name()} = {expr()};",
        lambda: f"}} else if {expr()} {{",
        lambda: f"assert {expr()}, f\"{{{name()}!r}}\"",
        lambda: "})" + rng.choice(["", ";", ",", ")"]),
        lambda: f"import {name()}.{name()}",
    ])()


def indent():
    return rng.choice(["", "\t" * rng.randrange(6), " " * (4 * rng.randrange(8)), " " * rng.randrange(40), "\t  ", "  \t"])


def line():
    kind = rng.randrange(100)
    if kind < 62:
        body = code()
    elif kind < 70:
        body = " ".join(rng.choice([word, name, number])() for _ in range(rng.randrange(12)))
    elif kind < 76:
        body = rng.choice(PROSE) + rng.choice(["", " ", rng.choice(PROSE)])
    elif kind < 80:
        body = code() + " // " + "".join(rng.choice(EMOJI) for _ in range(rng.randrange(1, 5)))
    elif kind < 84:
        body = "".join(rng.choice(ODD + [" ", "a", word()]) for _ in range(rng.randrange(1, 8)))
    elif kind < 88:  # any characters at all
        body = "".join(chr(rng.choice([rng.randrange(0x80), rng.randrange(0x3000), rng.randrange(0xd800), rng.randrange(0xe000, 0x110000)]))
                       for _ in range(rng.randrange(1, 16)))
    elif kind < 92:
        body = code() + rng.choice(SPECIAL) + rng.choice(["", code(), rng.choice(SPECIAL)])
    elif kind < 94:
        body = rng.choice("-=#*/ ._ab0\t<") * rng.randrange(1, 120)
    elif kind < 97:
        body = code() + rng.choice([" ", "\t", "    ", "  \t "])  # trailing space
    elif kind < 99:
        body = ""
    else:  # long: the other merge algorithm
        body = ", ".join(expr() for _ in range(rng.randrange(8, 25)))
    return indent() + body


def text(i):
    # Most samples are one line, as the file promises; some run on, since what a line's
    # chunk takes from the next line matters.
    n = 1 if i % 10 else rng.randrange(2, 8)
    return "".join(line() + rng.choice(ENDS) for _ in range(n))


def main():
    tokenizer = Tokenizer.from_file(str(here / "../../weights/tokenizer.json"))
    tokenizer.encode_special_tokens = True
    texts = [text(i) for i in range(10_000)]
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    sums = b""
    for t, e in zip(texts, encodings):
        assert tokenizer.decode(e.ids, skip_special_tokens=False) == t, t
        sums += struct.pack("<I", zlib.crc32(struct.pack(f"<{len(e.ids)}i", *e.ids)))
    data = "".join(json.dumps(t, ensure_ascii=False) + "\n" for t in texts).encode()
    (here / "golden.texts.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    (here / "golden.crc32").write_bytes(sums)
    print(f"{len(texts)} texts, {sum(len(t.encode()) for t in texts)} bytes, {sum(len(e.ids) for e in encodings)} ids")


main()
