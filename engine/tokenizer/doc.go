// Package tokenizer turns text into tokens and back: byte-level BPE, its file
// (Hugging Face's tokenizer.json) and its trainer.
//
// A text is cut into chunks ([ChunkEnd]) and the merges run inside each chunk alone.
// A chunk is the rest of a line with the line ends after it and the indentation of the
// line that follows, so one token may be "if err != nil {\n\t\t".
//
// Invariants:
//
//   - Bytes in, bytes out: every byte string, valid UTF-8 or not, decodes from its
//     tokens exactly. No text is normalised and none is refused.
//   - Text is never control: no text encodes to a special token. "<|mask|>" in a user's
//     file becomes ordinary tokens; callers place special tokens by id.
//   - Edits are local: a text's tokens are those of its chunks, one after the other, and
//     whether a chunk begins at an offset depends only on the line end and indentation
//     just before it and the byte after it. So an edit inside a line changes the tokens
//     of that line's chunk and no other; an edit of a line's end or indentation changes
//     at most the chunks that meet there. The prefix of a text at a chunk's start
//     ([ChunkStart]) has the same tokens in the text and alone. Cut anywhere else, a text
//     has other tokens in two parts than in one; the parts still decode to the text.
//   - What we encode is what the tokenizers library encodes from the same file, token
//     for token (where its input, a Python str, can hold the text).
//   - A Tokenizer does not change once made, and is safe for concurrent use.
//
// The package imports nothing else of ours: ids are plain int32, and Encode and Decode
// take any type made of it, so that callers keep their own.
package tokenizer
