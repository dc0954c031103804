// Package succession runs a match server as a child process that another one can take the place of, while players play.
//
//	this process                            child 1                       child 2
//	  Start    folder, keys, ───────────▶   listens
//	  Replace  starts        ─────────────────────────────────────────▶   waits
//	           "stop"        ───────────▶   writes the snapshot, ends
//	           its order     ─────────────────────────────────────────▶   listens on the same port, reads the snapshot,
//	                                                                      goes on with the players
//	  Close    "stop"        ─────────────────────────────────────────▶   ends
//
// A child is this program's own executable, started again: its main must begin with
//
//	if succession.IsChild() {
//		os.Exit(succession.Child(os.Stdin, os.Stdout))
//	}
//
// The folder is a temporary one of this user alone (mode 0700). It holds what a server that is to be replaced keeps on
// disk: certificate and keys, fleet keys, the snapshot; and what each child has audited, a JSON object a line.
//
// # The pipe
//
// A child reads lines from standard input and answers each with one on standard output, a JSON object:
//
//	{"folder": …, "number": 1, "listen": …, "tick": 60}   first; the answer has addr, or error
//	stats                                                 the answer has stats
//	stop                                                  hands the players on, answers with stats, or error, and ends
//
// Signals that end this process reach a child too, when both are of one terminal. It ignores them: players are to be told
// first. The end of its input is another matter: this process is gone then, and so the child ends at once and removes the
// folder. No child outlives its parent.
package succession
