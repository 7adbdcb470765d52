// Package shared lets several editor windows use one server, and so one model in memory:
// `seedling serve --socket` listens on a Unix socket, `seedling lsp --connect` joins it, or
// starts it, and passes messages between it and the editor.
//
// # Invariants
//
//   - The socket is the user's alone: its folder has mode 0700 and an owner that is looked
//     at, the socket mode 0600, and both ends ask the system who the other is, where it
//     can say. Nothing is read from a peer, or sent to one, before that.
//   - One server a socket: who holds the lock beside it listens. A socket without a holder
//     is what a dead server left, and only the holder of the lock removes it.
//   - Sessions do not meet: each has its own documents, settings and workspace, and a name
//     of its own in the engine. When it ends, what the engine remembers of it is forgotten.
//   - The editor's session outlives the server: when that dies, [Proxy] says so once, starts
//     another, and tells it what the editor had told. It gives up when that goes on.
package shared
