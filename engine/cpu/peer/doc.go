// Command peer measures Seedling's CPU engine beside llama.cpp: the very same weights as
// GGUF, the same prompts as token ids, the same number of threads, both caches warm. See
// README.md for how to run it and what it gave.
//
// Invariants kept here:
//
//   - The peer is timed by its own clock, which leaves HTTP, JSON and its tokenizer out;
//     ours are whole calls of engine.Generate, tokenizer and stop rule included.
//   - No ratio is printed without how often both wrote the same text.
//   - Both sides answer each line in turn, never at once, several times over, and the best
//     time of each counts: what else the machine does meets both.
package main
