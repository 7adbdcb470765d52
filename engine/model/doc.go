// Package model reads and writes model directories: config.json, model.safetensors
// and what they say of an architecture and its attention scheme.
//
// Invariants kept here:
//
//   - A file is believed in nothing: every header field is checked before a byte is
//     allocated for it, and no read allocates beyond the file's size.
//   - Tensor names are Qwen3's, so that other people's tools load what we write.
package model
