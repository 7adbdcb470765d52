// Package serve is the HTTP door for clients that speak no LSP: POST /infill as
// llama-server defines it (llama.vim, llama.vscode) and POST /v1/completions with a
// suffix as OpenAI defines it (Zed, Continue, minuet), with the few GET pages that those
// clients look at.
//
// # Invariants
//
//   - Nothing listens unless [Listen] was called, and then on loopback, or with a token.
//   - A page in a browser gets nothing: requests with a foreign Origin or Host are refused
//     before their body is read, and no answer carries a CORS header.
//   - What comes in is bounded before it is read: headers, body, time, requests at once.
//   - A bad request costs one JSON error that names the field and what it may be; it never
//     reaches the engine.
//   - An answer is an insertion at the cursor that went through infill: it does not repeat
//     what stands after the cursor.
//   - A client has one question at a time: its newer one ends the older, and the end of its
//     connection ends the question.
//   - No code is logged, at no level, and none is in an error.
package serve
