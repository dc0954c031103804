package transport

import "github.com/sallyport/sallyport/internal/lanes"

// letters is what has come on a client's lanes and waits for its handler: messages, values and
// receipts, in the order in which they came. Client.mu guards it. It implements lanes.Sink.
//
// Messages of lanes of mode Reliable and Ordered are bounded by the lane's credit, which is granted
// again only when the handler has run, and values by the keys of their lane; but empty messages cost
// no credit, and keys come and go. So of all these there are about maxLetters: where nobody takes
// them, FRAMES are not received, and the server sends again what it wants to arrive. Of receipts there
// are as many as the game has queued messages, unless it takes none. Of everything else the oldest
// gives way.
type letters struct {
	arrived  chan struct{}   // capacity 1: there are some, for Serve; constant
	table    *lanes.Table    // of endpoint
	endpoint *lanes.Endpoint // whose letters come; nil without lanes
	first    *letter
	last     *letter
	free     *letter
	loose    int                   // messages that may give way
	receipts int                   // receipts
	kept     int                   // messages that may not give way, and values
	lost     uint64                // messages that have given way
	waiting  map[latestKey]*letter // a newer value of the same key takes the place of the one that waits
}

type latestKey struct {
	lane uint8
	key  uint32
}

// letterKind is what a letter is.
type letterKind uint8

const (
	letterMessage letterKind = iota
	letterLatest
	letterReceipt
)

// letter is one of them.
type letter struct {
	next     *letter
	kind     letterKind
	lane     uint8
	arrived  bool            // of a receipt
	loose    bool            // a message that may give way
	id       uint64          // or the key
	endpoint *lanes.Endpoint // that it came from
	b        []byte
}

// Message implements lanes.Sink.
func (q *letters) Message(lane int, id uint64, b []byte) {
	l := q.push(letterMessage, lane, id, b)
	if q.table.Lane(lane).Mode >= lanes.Reliable {
		q.kept++
		return
	}
	l.loose = true
	if q.loose++; q.loose > receiveQueue {
		q.lost++
		q.dropOldest(func(l *letter) bool { return l.loose })
	}
}

// Latest implements lanes.Sink.
func (q *letters) Latest(lane int, key uint32, b []byte) {
	k := latestKey{uint8(lane), key}
	if l := q.waiting[k]; l != nil {
		l.b = append(l.b[:0], b...)
		return
	}
	if q.waiting == nil {
		q.waiting = make(map[latestKey]*letter)
	}
	q.kept++
	q.waiting[k] = q.push(letterLatest, lane, uint64(key), b)
}

// Receipt implements lanes.Sink.
func (q *letters) Receipt(lane int, id uint64, arrived bool) {
	l := q.push(letterReceipt, lane, id, nil)
	l.arrived = arrived
	if q.receipts++; q.receipts > maxReceipts {
		q.dropOldest(func(l *letter) bool { return l.kind == letterReceipt })
	}
}

// full reports whether nothing more is to be received until some have been taken.
func (q *letters) full() bool { return q.kept >= maxLetters }

func (q *letters) push(kind letterKind, lane int, id uint64, b []byte) *letter {
	l := q.free
	if l == nil {
		l = new(letter)
	} else {
		q.free = l.next
	}
	*l = letter{kind: kind, endpoint: q.endpoint, lane: uint8(lane), id: id, b: append(l.b[:0], b...)}
	if q.last == nil {
		q.first = l
	} else {
		q.last.next = l
	}
	q.last = l
	select {
	case q.arrived <- struct{}{}:
	default:
	}
	return l
}

// dropOldest has the oldest of some letters give way.
func (q *letters) dropOldest(among func(*letter) bool) {
	for before, at := (*letter)(nil), q.first; at != nil; before, at = at, at.next {
		if among(at) {
			q.remove(before, at)
			q.recycle(at)
			return
		}
	}
}

// pop takes the oldest letter out, nil if there is none. recycle takes it back.
func (q *letters) pop() *letter {
	l := q.first
	if l != nil {
		q.remove(nil, l)
	}
	return l
}

// remove takes l, which follows before, out of the queue.
func (q *letters) remove(before, l *letter) {
	if before == nil {
		q.first = l.next
	} else {
		before.next = l.next
	}
	if q.last == l {
		q.last = before
	}
	switch {
	case l.loose:
		q.loose--
	case l.kind == letterReceipt:
		q.receipts--
	case l.kind == letterMessage:
		q.kept--
	default:
		q.kept--
		delete(q.waiting, latestKey{l.lane, uint32(l.id)})
	}
}

// recycle keeps the memory of a letter that has been dealt with, unless it is large.
func (q *letters) recycle(l *letter) {
	if cap(l.b) > maxLetterKept {
		l.b = nil
	}
	l.next, q.free = q.free, l
}
