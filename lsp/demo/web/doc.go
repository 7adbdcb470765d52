// Package web serves a playground to a browser on this machine: an editor with ghost text, how
// each suggestion came to be, and what it took. The page speaks LSP over a WebSocket with the
// very server that editors speak to.
//
// Invariants kept here:
//
//   - Nothing is answered that does not come from this machine, by the address it was told,
//     with the token that is in it; a WebSocket is opened for the page itself and for no other.
//   - The page loads nothing from anywhere else; its policy forbids it to.
package web
