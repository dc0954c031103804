package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
)

// clientLanes is what a client has for lanes, whether its server has some or not. Client.mu guards
// it.
type clientLanes struct {
	socket   *clientSocket   // constant
	messages *clientMessages // nil without lanes, and once the session is over
	letters  letters
	holds    int  // by Hold, not yet released
	parting  bool // CloseAfter has been called
}

// clientMessages are the lanes of a client whose server has some. Client.mu guards them.
type clientMessages struct {
	endpoint *lanes.Endpoint
	letters  *letters      // constant; what has come and waits for the handler
	conn     *clientConn   // on which the session lives
	began    time.Time     // constant; with a monotonic reading, so that a step of the wall clock is none of the lanes'
	now      time.Duration // since then
	due      time.Duration // when the lanes are to be looked at, never if they need not be
	numbers  numbers
	body     [wire.MaxBody]byte
}

// agree begins, goes on with or ends the lanes of a session that lives on conn from now on. It
// reports whether lanes of before do not go on.
func (l *clientLanes) agree(now time.Time, conn *clientConn) (ended bool) {
	agreed, next := conn.machine.Lanes(), conn.machine.Sequence()+1
	m := l.messages
	switch {
	case agreed == nil && m != nil:
		l.end()
		return true
	case agreed == nil:
		return false
	case m == nil:
		m = &clientMessages{letters: &l.letters, began: now}
		m.endpoint = m.newEndpoint(conn.machine, agreed, next)
		l.messages = m
	case agreed.Kept:
		m.endpoint.Limit(limitsOf(conn.machine, agreed))
		m.endpoint.Resume(agreed.Base, next, m.letters)
	default:
		m.endpoint.Close(m.letters)
		m.endpoint = m.newEndpoint(conn.machine, agreed, next)
		ended = true
	}
	if m.conn != nil {
		m.conn.messages = nil
	}
	m.conn, conn.messages = conn, m
	m.pump(now)
	return ended
}

// moved tells the lanes that the path has changed on the same connection.
func (l *clientLanes) moved() {
	if m := l.messages; m != nil {
		m.endpoint.Moved()
	}
}

// end ends the lanes with the session: what is unfinished is reported as lost.
func (l *clientLanes) end() {
	if m := l.messages; m != nil {
		m.endpoint.Close(m.letters)
		l.messages, m.conn.messages = nil, nil
	}
}

// flush has the lanes send what has been queued, and the turn that waits end when they are due.
func (l *clientLanes) flush(now time.Time) {
	if m := l.messages; m != nil {
		m.pump(now)
		l.socket.wakeBy(m.wait(l.socket.due))
	}
}

// released is flush, unless that is left to Flush, Poll or Release.
func (l *clientLanes) released(now time.Time) {
	if !l.socket.polled && l.holds == 0 {
		l.flush(now)
	}
}

// dealtWith takes a letter back that the handler has seen.
func (l *clientLanes) dealtWith(now func() time.Time, done *letter) {
	if m := l.messages; m != nil && done.kind == letterMessage && done.endpoint == m.endpoint {
		m.endpoint.Taken(int(done.lane), len(done.b))
		l.released(now())
	}
	l.letters.recycle(done)
}

// newEndpoint begins with lanes that have been agreed on.
func (m *clientMessages) newEndpoint(of *machine.Client, l *machine.Lanes, next uint64) *lanes.Endpoint {
	config := lanesConfig(l, next, m.numbers.next)
	config.Ceiling, config.Datagrams = limitsOf(of, l)
	e := lanes.New(config)
	m.letters.table, m.letters.endpoint = l.Table, e
	return e
}

// limitsOf returns how many bytes and datagrams a second the client sends at most: nine tenths of what
// the server's last WELCOME states, so that a burst that the path has made drops nothing.
func limitsOf(of *machine.Client, l *machine.Lanes) (bytes, datagrams int) {
	return nineTenths(l.Rate), nineTenths(int(of.Limits().Rate))
}

// nineTenths returns them of n, rounded down, but at least 1.
func nineTenths(n int) int { return max(n-(n+9)/10, 1) }

// advance sets the time.
func (m *clientMessages) advance(now time.Time) { m.now = max(m.now, now.Sub(m.began)) }

// arrived tells the lanes of a datagram that the machine has seen, and reports false if they drop it.
func (m *clientMessages) arrived(now time.Time, seq uint64, ev machine.Event) (accepted bool) {
	switch {
	case ev.Drop != audit.DropNone: // it may be FRAMES, which are acknowledged only where they took effect
		return true
	case ev.Kind == machine.EventFrames:
		return m.take(now, seq, ev.Payload)
	}
	m.advance(now)
	m.endpoint.Note(m.now, seq)
	return true
}

// take hands the body of FRAMES to the lanes. What no honest server does is dropped, and so is
// everything while too much waits for the handler: it is not acknowledged, and comes again.
func (m *clientMessages) take(now time.Time, seq uint64, body []byte) (accepted bool) {
	m.advance(now)
	return !m.letters.full() && m.endpoint.Receive(m.now, seq, m.conn.machine.Sequence(), body, m.letters) <= lanes.Refused
}

// pump sends what is due.
func (m *clientMessages) pump(now time.Time) {
	m.advance(now)
	m.endpoint.Tick(m.now, m.letters)
	for range maxPump {
		if m.due = m.endpoint.Deadline(m.now); m.due > m.now || !m.sendFrames() {
			break
		}
	}
	m.due = max(m.due, m.now+minPause)
}

// sendFrames sends one datagram, and reports false if none is due.
func (m *clientMessages) sendFrames() bool {
	of := m.conn.machine
	body, ok := nextFrames(m.body[:0], m.endpoint, m.now, of)
	if !ok {
		return false
	}
	if m.conn.send(wire.KindFrames, body) != nil { // a lost datagram: its connection has ended
		of.LeaveOut()
		return false
	}
	return true
}

// sent tells the lanes that a datagram of another kind has left under the last sequence.
func (m *clientMessages) sent(kind wire.Kind, length int) {
	if kind != wire.KindFrames {
		m.endpoint.Sent(m.now, m.conn.machine.Sequence(), length)
	}
}

// wait returns when to look again, at the latest at due.
func (m *clientMessages) wait(due time.Time) time.Time {
	if m.due == never {
		return due
	}
	return earlier(due, m.began.Add(m.due))
}
