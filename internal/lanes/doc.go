// Package lanes is the message layer as state machines: both ends of a session's lanes, which are the
// same machine. It has no sockets, no clock and no cryptography: an [Endpoint] takes (now, sequence,
// frames) and gives bodies to send, messages, receipts and a deadline. Package wire has the bytes of
// frames.
//
// # The way of a message
//
//	Send ── queue of its lane ── Append ── body under a sequence ──▶ Check, Receive ── Sink.Message
//	          ▲    │ credit, rate, priority                            │
//	     lost │    └ flight: what each datagram carried ◀── ACK ───────┘ arrivals
//
// A message waits in its lane's queue (sender.go) until credit, span and rate let it begin (pack.go).
// The flight (flight.go) remembers what each datagram carried. An ACK (loss.go) settles datagrams:
// what was lost and is still wanted goes back to its lane and leaves in another datagram. Probes
// (probe.go) break silence. The receiving side puts fragments together (assembly.go), and orders
// (reader.go) or judges by age (loose.go).
//
// What is acknowledged took effect: a datagram is not acknowledged if one of its frames came too late
// or found no room. Its other frames have had their effect all the same, and their repetition is
// recognised. So a stale snapshot does not hold up the event beside it.
//
// # How a transport calls it
//
// One Endpoint belongs to one session and to one goroutine at a time. It is made when a session first
// uses lanes; a session without lanes has none. now is the same monotonic clock in all calls.
//
//   - On FRAMES, parsed: Table.Check before anything is charged; a body that fails is malformed. After
//     authentication and replay check, Inputs says what behaviour is to count; unless the rate drops
//     the datagram: Receive, once. Accepted and Refused go on; Lied is
//     dropped and audited; an Outcome that Revokes ends the session.
//   - On a datagram of any other kind, accepted: Note.
//   - When a datagram of another kind leaves: Sent. A client asks Yields before it sends DATA.
//   - At a tick, after the game has run: Tick, then flush. Between ticks, when Deadline has passed:
//     the same. Deadline may be looked at by the shard's turn; without it, ticks alone do.
//   - To flush: take the session's next sequence; while LeaveOut(seq), take the one after it; Append.
//     Until Append returns false, each body is one datagram, which must leave under that sequence. The
//     sequence for which it returns false is not used up, nor is one that was left out sent later.
//   - When the game has taken a message of n bytes: Taken. If Sink.Message runs the game's handler, at
//     once; if it puts the message into a queue, when the handler has run, so that a full queue
//     withholds credit.
//   - At a change of address on the same connection: Moved.
//   - At a resume: Limit with what the peer states, if this is a client's, and Resume, with the first
//     sequence that the peer will use from now on, and one's own next. If the generation differs:
//     Close, which reports what was unfinished as lost, and New.
//   - At the end of a process: once nothing is delivered any more and every queue towards the game is
//     empty, AppendSnapshot; in the next process Restore, then go on as after Resume. If either fails,
//     the generation changes.
//   - To close after everything reliable has arrived: until Idle.
//
// A broadcast makes one [Payload], gives it to each endpoint with SendPayload, and releases it.
//
// A bulk transfer needs the turns between ticks: at most 8 ms of the rate leave at once, so a flush
// every 16 ms alone would use half of it. Messages of a game do not.
//
// # Loss
//
// A datagram is lost when a later one was acknowledged and either three later ones were sent, or it
// has taken an eighth longer than an RTT; datagrams that come after they were counted as lost widen
// both, to 256 and to two RTTs, until 16 round trips bring no more proof. Silence is probed after
// SRTT + 4 variances + the peer's delay, twice as late each time, but at least every second: RFC 9002
// has no such limit, but a game is to go on at once when a blackout ends.
//
// # Congestion
//
// The window follows the queueing delay; see pace.go. It counts what has arrived and waits for its
// acknowledgement. Loss alone is no reason to slow down; above 5 % in three round trips in a row the
// window is held to a quarter more than what arrives. Lanes of a higher priority than the
// last do not wait for the window that the bulk has filled: they may exceed it by half. ACK, which is
// not under way, waits for nothing but a datagram and bytes of those that the peer takes. What was lost
// leaves before news of its own lane, but not before a lane of higher priority. DATA never waits; it and
// ACK alone take what the rate has above the floor, which is left to other frames. Of what a server
// takes in a second lanes have a tenth, too, and there a client's DATA gives way.
//
// # Fragments and parity
//
// A message is cut into as few fragments as fit, of even length. Parity frames have the same length,
// so that one of them costs a snapshot of six fragments a sixth; with fragments of 1,088 bytes and a
// short last one it would cost more. Any as many parts as there are fragments are the message.
//
// # Bounds
//
// Every bound on what a peer can make an endpoint hold has a name in limits.go. What breaks them in a
// way that no honest peer can gives an Outcome that revokes; everything else gives way silently.
package lanes
