// Package cli is the command line: one struct ([Commands]), a Run method for each subcommand,
// and the wiring of everything that they need. A subject has a file of its own; what several
// commands share is in cli.go (output, log) and load.go (the model and its backend).
//
// Invariants kept here:
//
//   - Nothing but main imports this package, and it alone may import all the others: wiring
//     only. A rule that another package could keep is kept there.
//   - Answers go to stdout, all else (progress, the log, errors) to stderr; a progress bar is
//     drawn for a person only. While an editor is served stdout is its wire.
//   - Exit code 0 is an answer, an empty one too; 1 a failure; 2 wrong usage, which is told
//     before a model is loaded; 3 that another server has the socket ([ExitCode]).
//   - Positions that a person types count from 1:1 in characters; those in JSON are LSP's
//     (position.go).
package cli
