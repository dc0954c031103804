// Package endurance lets thousands of players at one match server for minutes or hours, honest ones
// and hostile ones, and judges whether the server's process stays as it is.
//
// The server is a process of its own (package succession). The players are groups, all at once:
//
//	steady     plays from the beginning to the end; some leave each second and join again
//	impaired   loses, delays, repeats and reorders datagrams, has tokens of seconds, and comes and goes
//	moving     changes its sockets in each round
//	dark       loses its path for three seconds in each round
//	hostile    one attack of package attack after the other, with five honest players beside each
//
// A group is teams of up to 50 players, which begin one after the other. Every group but the first
// plays in rounds, each with new sessions. Every round is judged as
// packages soak and attack judge: nothing lost, nothing twice, nobody put out, no attacker let in.
//
// Once a second the server's process is looked at: goroutines, live heap, resident memory, open
// descriptors. From second 10 to the end they must be flat, as far as the run is long enough to tell:
//
//	goroutines, descriptors   as many at most in the last third as in the first, and a few more
//	live heap                 likewise, and an eighth more
//	resident memory           from minute 1, grows by MaxGrowth in two hours at most, by least squares
//
// Resident memory is judged in runs of at least JudgeMemoryFrom: in a shorter one, what a few samples
// say about two hours is chance.
package endurance
