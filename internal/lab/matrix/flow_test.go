package matrix

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// The lanes of every cell: each mode, short messages and long ones.
const (
	sparks  = iota // unreliable, short
	voices         // unreliable, in fragments
	views          // sequenced, in fragments, with parity
	pickups        // reliable, short and long
	alarms         // reliable, until they are too old
	story          // ordered, short and long
	scores         // latest
	lanes
)

var table = []transport.Lane{
	sparks:  {Mode: transport.Unreliable},
	voices:  {Mode: transport.Unreliable, MaxMessage: 4000},
	views:   {Mode: transport.Sequenced, MaxMessage: 4000, Parity: 1},
	pickups: {Mode: transport.Reliable, MaxMessage: 4000, Insure: true, Receipts: true, Queue: queue},
	alarms:  {Mode: transport.Reliable, MaxAge: 300 * time.Millisecond, Receipts: true},
	story:   {Mode: transport.Ordered, MaxMessage: 8000, Receipts: true, Queue: queue},
	scores:  {Mode: transport.Latest},
}

// What each lane is sent: a message every so many ticks, and how long it is.
var script = [lanes]struct{ every, size int }{
	sparks: {2, 40}, voices: {12, 3000}, views: {6, 2500}, pickups: {2, 60}, alarms: {5, 100}, story: {3, 120}, scores: {1, 24},
}

const (
	// queue bounds what waits on a lane for one end, in bytes with 128 a message: as the library does by itself.
	queue = 256 << 10

	// long is how many messages of a reliable lane pass from one long one to the next.
	long = 12

	// keys is how many values there are. The last one is removed now and then.
	keys = 8
)

// An end of a session sends; *transport.Player and *transport.Client do.
type end interface {
	Send(payload []byte) error
	SendMessage(lane int, b []byte) (uint64, error)
	SendLatest(lane int, key uint32, b []byte) error
	Pending(lane int) (messages, bytes int)
}

// flow is one direction of play: what one end has sent, and what the other one has got of it.
type flow struct {
	*run

	name    string
	ticks   int
	payload stream
	lane    [lanes]stream
	values  [keys]struct{ sent, got uint64 } // versions; 0: removed, or nothing yet
	version uint64
	receipt [lanes]map[uint64]bool // by id: whether it has arrived

	last    time.Time     // when a payload came
	longest time.Duration // between two
	since   time.Time     // the impairment's end
	before  uint64        // payloads sent until then
	back    time.Duration // from then until a payload came that was sent after it, 0 as long as none has
}

// stream is what of one lane, or of the payloads, has been sent and has come.
type stream struct {
	sent    uint64 // ids are 1 to sent
	refused int    // the queue was full
	got     []bool // by id, from 1
	newest  uint64
	count   int
}

// content is what the message with an id holds: the id, and bytes that follow from it.
func content(id uint64, size int) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, size), id)
	for len(b) < size {
		b = append(b, byte(id)+byte(len(b)))
	}
	return b
}

// play sends what a tick sends.
func (f *flow) play(e end) {
	f.ticks++
	if e.Send(content(f.payload.sent+1, 64)) == nil { // else its connection has ended, and the next one is being made
		f.payload.sent++
	}
	for lane, s := range script {
		if f.ticks%s.every != 0 {
			continue
		}
		if lane == scores {
			f.score(e, s.size)
			continue
		}
		f.message(e, lane, s.size)
	}
}

func (f *flow) message(e end, lane, size int) {
	s := &f.lane[lane]
	if table[lane].Receipts && lane != alarms && s.sent%long == long-1 {
		size = table[lane].MaxMessage
	}
	id, err := e.SendMessage(lane, content(s.sent+1, size))
	switch {
	case errors.Is(err, transport.ErrFull):
		s.refused++
	case err != nil:
		f.errorf("%s, lane %d: %v", f.name, lane, err)
	case id != s.sent+1:
		f.errorf("%s, lane %d: message %d has id %d", f.name, lane, s.sent+1, id)
	default:
		s.sent++
	}
}

// score gives a key its next value, or removes it.
func (f *flow) score(e end, size int) {
	key := f.ticks % keys
	f.version++
	v, b := f.version, content(f.version, size)
	if key == keys-1 && f.ticks/keys%2 == 1 {
		v, b = 0, nil
	}
	if err := e.SendLatest(scores, uint32(key), b); err != nil {
		f.errorf("%s, key %d: %v", f.name, key, err)
		return
	}
	f.values[key].sent = v
}

// received takes a payload.
func (f *flow) received(b []byte) {
	now := time.Now()
	if !f.last.IsZero() {
		f.longest = max(f.longest, now.Sub(f.last))
	}
	f.last = now
	id := f.take(&f.payload, "payload", b, 0)
	if f.back == 0 && !f.since.IsZero() && id > f.before {
		f.back = max(now.Sub(f.since), 1)
	}
}

// delivered takes a message.
func (f *flow) delivered(lane int, id uint64, b []byte) {
	s := &f.lane[lane]
	newest := s.newest
	if said := f.take(s, table[lane].Mode.String(), b, table[lane].MaxMessage); said != id {
		f.errorf("%s, lane %d: message %d comes as %d", f.name, lane, said, id)
	}
	switch lane {
	case views:
		if id <= newest {
			f.errorf("%s: view %d after %d", f.name, id, newest)
		}
	case story:
		if id != newest+1 {
			f.errorf("%s: chapter %d after %d", f.name, id, newest)
		}
	}
}

// take notes that something has come whose content says which it is.
func (f *flow) take(s *stream, what string, b []byte, most int) (id uint64) {
	if len(b) >= 8 {
		id = binary.BigEndian.Uint64(b)
	}
	switch {
	case id == 0 || id > s.sent || !bytes.Equal(b, content(id, len(b))) || most > 0 && len(b) > most:
		f.errorf("%s: %s of %d bytes that nobody has sent: %x", f.name, what, len(b), b[:min(len(b), 16)])
		return id
	case id <= uint64(len(s.got)) && s.got[id-1]:
		f.errorf("%s: %s %d is delivered twice", f.name, what, id)
		f.twice++
		return id
	}
	for uint64(len(s.got)) < id {
		s.got = append(s.got, false)
	}
	s.got[id-1] = true
	s.newest = max(s.newest, id)
	s.count++
	return id
}

// valued takes a value of a key.
func (f *flow) valued(lane int, key uint32, b []byte) {
	if lane != scores || key >= keys {
		f.errorf("%s: a value of key %d on lane %d", f.name, key, lane)
		return
	}
	v := &f.values[key]
	if len(b) == 0 {
		if v.got = 0; key != keys-1 {
			f.errorf("%s: key %d is removed", f.name, key)
		}
		return
	}
	version := binary.BigEndian.Uint64(b)
	if version <= v.got || version > f.version || !bytes.Equal(b, content(version, len(b))) {
		f.errorf("%s: version %d of key %d after %d", f.name, version, key, v.got)
	}
	v.got = version
}

// told takes a receipt.
func (f *flow) told(lane int, id uint64, arrived bool) {
	if f.receipt[lane] == nil {
		f.receipt[lane] = map[uint64]bool{}
	}
	if _, again := f.receipt[lane][id]; again || id == 0 || id > f.lane[lane].sent {
		f.errorf("%s: a receipt too many for message %d of lane %d", f.name, id, lane)
	}
	f.receipt[lane][id] = arrived
}

// open is how many messages and values have not arrived that must, how many receipts have not come, and how many messages
// wait at the end that sends.
func (f *flow) open(e end) (n int) {
	for lane := range table {
		messages, _ := e.Pending(lane)
		n += messages
	}
	for _, lane := range []int{pickups, story} {
		n += int(f.lane[lane].sent) - f.lane[lane].count
	}
	for lane := range table {
		if table[lane].Receipts {
			n += int(f.lane[lane].sent) - len(f.receipt[lane])
		}
	}
	for _, v := range f.values {
		if v.sent != v.got {
			n++
		}
	}
	return n
}

// check is what has to hold at rest.
func (f *flow) check() {
	for _, lane := range []int{pickups, story} {
		if s := &f.lane[lane]; s.count != int(s.sent) {
			f.errorf("%s: %d of %d %s messages have arrived", f.name, s.count, s.sent, table[lane].Mode)
		}
	}
	for key, v := range f.values {
		if v.sent != v.got {
			f.errorf("%s: key %d has version %d, want %d", f.name, key, v.got, v.sent)
		}
	}
	for lane := range table {
		if !table[lane].Receipts {
			continue
		}
		s := &f.lane[lane]
		if n := len(f.receipt[lane]); n != int(s.sent) {
			f.errorf("%s, lane %d: %d receipts for %d messages", f.name, lane, n, s.sent)
		}
		for id, arrived := range f.receipt[lane] {
			if got := id <= uint64(len(s.got)) && s.got[id-1]; arrived && !got || !arrived && lane != alarms {
				f.errorf("%s, lane %d: the receipt of message %d says %v, delivered: %v", f.name, lane, id, arrived, got)
			}
		}
	}
}

// bounded fails if more waits than may.
func (f *flow) bounded(e end) {
	for lane := range table {
		if messages, b := e.Pending(lane); b+128*messages > queue {
			f.errorf("%s: %d messages of %d bytes wait on lane %d", f.name, messages, b, lane)
		}
	}
}
