// Package engine is what callers see: requests in, text out. It lays out contexts,
// keeps their caches between requests, and schedules who may use the device.
//
// Invariants kept here:
//
//   - The engine never sees a URI, an editor or a syntax tree.
//   - The layout of an input is one function, used by training and by serving alike.
//   - A request's context is obeyed within one forward pass.
package engine
