package enginetest

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
)

// Link carries datagrams between two ends, each after Latency.
type Link struct {
	Latency time.Duration
	// Tap, if set, sees the n-th datagram of one direction, from 0, and returns those to carry in its place.
	Tap func(fromClient bool, n int, datagram []byte) [][]byte

	mu    sync.Mutex
	count [2]int
	sinks [2]func(datagram []byte)
}

func index(client bool) int {
	if client {
		return 1
	}
	return 0
}

// Send returns what one end sends with.
func (l *Link) Send(fromClient bool) func([]byte) {
	return func(b []byte) {
		l.mu.Lock()
		defer l.mu.Unlock()
		i := index(fromClient)
		out := [][]byte{slices.Clone(b)}
		if l.Tap != nil {
			out = l.Tap(fromClient, l.count[i], out[0])
		}
		l.count[i]++
		for j, b := range out { // in order, if all take the same time
			time.AfterFunc(l.Latency+time.Duration(j)*time.Microsecond, func() { l.sinks[1-i](b) })
		}
	}
}

// End is one end of a Link as an owner of sockets would keep it: a Conn, then a record.Conn.
type End struct {
	Conn   *handshake.Conn
	client bool
	link   *Link

	mu       sync.Mutex
	kept     [][]byte // diverted before the Result
	res      *handshake.Result
	rec      *record.Conn
	got      []string // application data
	resent   int
	verdicts map[handshake.Verdict]int
}

// NewEnd attaches an end to the link.
func NewEnd(l *Link, client bool) *End {
	e := &End{client: client, link: l, verdicts: make(map[handshake.Verdict]int)}
	addr := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}
	e.Conn = handshake.NewConn(!client, addr, addr, l.Send(client))
	l.sinks[index(client)] = e.receive
	return e
}

func (e *End) receive(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rec != nil {
		e.open(b)
		return
	}
	v := e.Conn.Deliver(b)
	e.verdicts[v]++
	if v == handshake.Divert {
		e.kept = append(e.kept, b)
	}
	clear(b[:0]) // the Conn has copied
}

// Established puts the record layer in place and gives it what came early.
func (e *End) Established(t testing.TB, res *handshake.Result) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	rec, err := record.New(&res.Secrets, e.client, res.Next, 0)
	if err != nil {
		t.Fatal(err)
	}
	e.res, e.rec = res, rec
	for _, b := range e.kept {
		e.open(b)
	}
	e.kept = nil
}

// open reads the records of a datagram, and answers a client's Finished.
func (e *End) open(b []byte) {
	for {
		rec, rest, ok := record.Next(b)
		if !ok {
			return
		}
		b = rest
		typ, text, err := e.rec.Open(rec)
		switch {
		case err != nil:
		case typ == record.ApplicationData:
			e.got = append(e.got, string(text))
		case typ == record.Handshake && handshake.IsFinished(text) && !e.client:
			if out, err := e.res.Flight.Resend(e.rec, nil); err == nil {
				e.resent++
				e.link.Send(false)(out)
			}
		}
	}
}

// Say sends one record of application data.
func (e *End) Say(t testing.TB, text string) {
	t.Helper()
	e.mu.Lock()
	out, err := e.rec.Seal(nil, record.ApplicationData, []byte(text))
	e.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	e.link.Send(e.client)(out)
}

// Heard returns what application data has come.
func (e *End) Heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got)
}

// Resent returns how often the last flight was sent again.
func (e *End) Resent() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.resent
}
