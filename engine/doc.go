// Package engine is what callers see: requests in, text out. It lays out contexts,
// keeps their caches between requests, and schedules who may use the device.
//
// Invariants kept here:
//
//   - The engine never sees a URI, an editor or a syntax tree.
//   - The layout of an input is one function, used by training and by serving alike.
//   - A request's context is obeyed within one forward pass.
//   - One request at a time uses the backend; the engine has no goroutine of its own.
//   - A context in the cache list never claims a token that the backend does not hold.
//   - What a stop rule sees and what is returned is valid UTF-8.
package engine
