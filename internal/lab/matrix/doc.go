// Package matrix tries a whole match, the real server and the real client in virtual time, in each cell
// of a table of what a network and a clock can do:
//
//	cells_test.go     the table: loss, round trip, jitter, reordering, copies, corruption, MTU, and an event
//	events_test.go    the events: another address, blackouts of each direction, a connection that is cut, clocks that jump
//	flights_test.go   each datagram of the handshake, of HELLO and of WELCOME lost or copied
//	    │
//	    ▼
//	cell_test.go      one cell: join, play under the impairment, play on a good path, rest, leave
//	flow_test.go      one direction of play: what one end has sent, and what the other one has got of it
//	    │
//	    ▼
//	report_test.go    a table of all cells, with -v
//
// Whatever the cell, no payload and no message is delivered twice or changed, every message of mode
// Reliable and Ordered is delivered exactly once and the latter in order, nothing older follows in mode
// Sequenced and Latest, the newest value arrives in the end, nobody is put out and no session begins
// anew, queues stay within their bounds, and play goes on soon after the impairment ends.
//
//	go test -v ./internal/lab/matrix                             every pair of values of two axes
//	SALLYPORT_MATRIX=full go test -timeout=0 ./internal/lab/matrix    their whole product, in minutes
//	SALLYPORT_SEEDS=10 go test ./internal/lab/matrix             each cell with ten seeds
//
// A failure names the command that runs its cell alone.
package matrix
