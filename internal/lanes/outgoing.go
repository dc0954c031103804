package lanes

import (
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// An outgoing is a message on its way to the peer, or the value of a key. It belongs to one
// endpoint and goes back to the pool when neither a list nor a datagram under way holds it.
type outgoing struct {
	payload       *Payload
	prev, next    *outgoing     // in its lane, from oldest to newest
	resendNext    *outgoing     // in the lane's list of what is to be sent again
	id            uint64        // from 1
	end           uint64        // bytes begun on the lane up to this message and with it
	giveUp        time.Duration // never: it has no age limit
	key           uint32
	fragments     uint16 // how many it has
	parts         uint16 // these and its parity frames
	sent          uint16 // how many parts have been sent for the first time
	acked         uint16 // how many have arrived
	lost          uint16 // of a message that is not repeated: how many are not known to have
	holds         uint16 // by lists, and by datagrams under way
	copies        uint8  // of a message of one fragment: how often it is under way
	lane          uint8
	done          bool // arrived, lost, given up or replaced: nothing more is sent
	resending     bool // in resendNext's list
	begun         bool
	arrived, want bits // parts that have arrived, and that are to be sent again
}

var outgoings = sync.Pool{New: func() any { return new(outgoing) }}

func (m *outgoing) release() {
	if m.holds--; m.holds == 0 {
		*m = outgoing{}
		outgoings.Put(m)
	}
}

// drop gives up the bytes: nothing more of m is sent.
func (m *outgoing) drop() {
	if !m.done {
		m.done = true
		m.payload.Release()
		m.payload = nil
	}
}

// part returns the bytes of a fragment.
func (m *outgoing) part(i int) []byte {
	b := m.payload.b
	from := i * wire.FragmentSize(len(b))
	return b[from : from+wire.FragmentLen(len(b), i)]
}

// unsent returns how many bytes of m, parity included, are yet to be sent for the first time.
func (m *outgoing) unsent() int {
	return int(m.parts-m.sent) * wire.FragmentSize(len(m.payload.b))
}

// wanted returns how many bytes of m are to be sent again.
func (m *outgoing) wanted() int {
	if m.done {
		return 0
	}
	return m.want.count() * wire.FragmentSize(len(m.payload.b))
}

// A resends is a queue of messages of which something is to be sent again.
type resends struct{ head, tail *outgoing }

func (q *resends) push(m *outgoing) {
	if m.resending {
		return
	}
	m.resending = true
	m.holds++
	if q.head == nil {
		q.head = m
	} else {
		q.tail.resendNext = m
	}
	q.tail = m
}

func (q *resends) pop() {
	m := q.head
	q.head, m.resendNext, m.resending = m.resendNext, nil, false
	m.release()
}

// skim removes what is done from the front.
func (q *resends) skim() *outgoing {
	for q.head != nil && q.head.done {
		q.pop()
	}
	return q.head
}
