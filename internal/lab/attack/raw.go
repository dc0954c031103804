package attack

import (
	"errors"
	"math"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// raw is a client below transport.Client, whose keys lie open: it can send what no client would. Its methods are safe
// for concurrent use.
type raw struct {
	socket *net.UDPConn   // constant, connected
	wg     sync.WaitGroup // receive; vanish waits
	joined chan struct{}  // closed with WELCOME
	ended  chan struct{}  // closed when nothing more will be received

	mu sync.Mutex
	// +checklocks:mu
	record *record.Conn
	// +checklocks:mu
	session *machine.Client
	// +checklocks:mu
	input arena.Input // the last one made
	// +checklocks:mu
	snapshot arena.Snapshot // the newest; without Others
	// +checklocks:mu
	err error // why it ended
}

// envelope is the session's next one, in the clear, with an input in it.
func (p *raw) envelope() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.input.Number++
	p.input.X = math.MaxInt16
	b, err := p.session.Append(nil, wire.KindData, p.input.AppendTo(nil))
	if err != nil {
		return nil // the session is over
	}
	return b
}

// seal is a datagram of this connection, with anything in it.
func (p *raw) seal(plaintext []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := p.record.Seal(nil, record.ApplicationData, plaintext)
	if err != nil {
		return nil // 2^24 records
	}
	return b
}

// write sends datagrams as they are. A copy of each is sent, since it may be written again.
func (p *raw) write(datagrams ...[]byte) {
	for _, b := range datagrams {
		_, _ = p.socket.Write(b) // a lost datagram
	}
}

// play sends n inputs by the rules, and returns the envelopes and datagrams in which they went.
func (p *raw) play(n int) (envelopes, datagrams [][]byte) {
	for range n {
		e := p.envelope()
		d := p.seal(e)
		p.write(d)
		envelopes, datagrams = append(envelopes, e), append(datagrams, d)
	}
	return envelopes, datagrams
}

// renew presents an identity token. RENEW is sent soon, and repeated.
func (p *raw) renew(identity []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session.Renew(time.Now(), identity)
}

func (p *raw) id() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session.ID()
}

func (p *raw) newest() arena.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snapshot
}

// delivered is how many inputs the server has taken from this player, of all that have been sent so far. It waits a few
// ticks, from the first that the player has seen; ok is false if the server falls silent.
func (p *raw) delivered() (n uint64, ok bool) {
	first := p.newest().Tick
	ok = await(func() bool {
		newest := p.newest().Tick
		if first == 0 {
			first = newest
		}
		return newest > 0 && newest >= first+settleTicks
	})
	return p.newest().Delivered, ok
}

// lives reports whether the session goes on.
func (p *raw) lives() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// why is how the session ended; nil if it has not.
func (p *raw) why() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// reason returns the reason of the server's CLOSE; 0 if there was none.
func (p *raw) reason() session.Reason {
	if e, ok := errors.AsType[*transport.CloseError](p.why()); ok {
		return e.Reason
	}
	return 0
}

// vanish ends the client without a word to the server.
func (p *raw) vanish() {
	_ = p.socket.Close()
	p.wg.Wait()
}

// leave says goodbye first.
func (p *raw) leave() {
	p.mu.Lock()
	if r := p.session.Close(); r.Kind != 0 {
		p.say(r.Kind, r.Body)
	}
	p.mu.Unlock()
	p.vanish()
}

// say sends an envelope of the session's own. The session's Tick calls it, and so mu is held.
//
// +checklocksignore
func (p *raw) say(kind wire.Kind, body []byte) {
	b, err := p.session.Append(nil, kind, body)
	if err == nil {
		b, err = p.record.Seal(nil, record.ApplicationData, b)
	}
	if err == nil {
		_, _ = p.socket.Write(b) // a lost datagram: the session repeats what matters
	}
}

// await asks again and again, for waitTime, until the answer is yes.
func await(done func() bool) bool {
	deadline := time.Now().Add(waitTime)
	for !done() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pollTime)
	}
	return true
}
