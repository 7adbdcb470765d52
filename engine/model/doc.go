// Package model reads and writes model directories: config.json, model.safetensors
// and what they say of an architecture and its attention scheme.
//
// Invariants kept here:
//
//   - A file is believed in nothing: every header field is checked before a byte is
//     allocated for it. What is allocated for a tensor is its decoded size, after its
//     bytes are known to be in the file; what is allocated before that (header, table
//     of tensors) is bounded by the size of the file and a small constant.
//   - Weights own their memory: nothing points into a file, a mapping or a buffer of
//     the caller's.
//   - No NaN and no infinity enters or leaves: what loads is finite, and Save refuses
//     to write what would not load.
//   - A model directory is replaced file by file and never half written.
//   - Tensor names are those of Qwen3 and Llama in transformers, so that other people's tools load what we write.
package model
