package lanes

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A lab is one endpoint whose peer is played by the test.
type lab struct {
	*Endpoint
	t        *testing.T
	now      time.Duration
	next     uint64
	peerSeq  uint64
	receipts map[uint64]bool
	messages []string
	values   map[uint32]string
}

func newLab(t *testing.T, lanes ...Lane) *lab {
	l := &lab{t: t, now: time.Second, next: 1, receipts: map[uint64]bool{}, values: map[uint32]string{}}
	never := func() uint64 { return 1 } // nothing is left out
	l.Endpoint = New(Config{Table: table(t, lanes...), Base: 1, Next: 1, Random: never})
	return l
}

func (l *lab) Message(lane int, _ uint64, b []byte) {
	l.messages = append(l.messages, string(b))
	l.Taken(lane, len(b))
}
func (l *lab) Latest(_ int, key uint32, b []byte)     { l.values[key] = string(b) }
func (l *lab) Receipt(_ int, id uint64, arrived bool) { l.receipts[id] = arrived }

// send queues one message on lane 0 and returns the sequences and the frames that leave.
func (l *lab) send(b string) uint64 {
	l.t.Helper()
	if _, err := l.Send(l.now, 0, []byte(b), l); err != nil {
		l.t.Fatal(err)
	}
	return l.flush()[0].seq
}

type sentBody struct {
	seq    uint64
	frames []wire.Frame
}

func (l *lab) flush() (out []sentBody) {
	l.t.Helper()
	l.Tick(l.now, l)
	for {
		for l.LeaveOut(l.next) {
			l.next++
		}
		b, ok := l.Append(nil, l.now, l.next)
		if !ok {
			return out
		}
		if !l.table.Check(b) {
			l.t.Fatalf("malformed: %x", b)
		}
		out = append(out, sentBody{l.next, framesOf(b)})
		l.next++
	}
}

func framesOf(b []byte) (out []wire.Frame) {
	r := wire.NewFrames(b)
	var f wire.Frame
	for r.Next(&f) {
		out = append(out, f)
	}
	return out
}

// ack lets the peer acknowledge sequences.
func (l *lab) ack(seqs ...uint64) Outcome {
	slices.Sort(seqs)
	slices.Reverse(seqs)
	var ranges []wire.Range
	for _, s := range seqs {
		if n := len(ranges); n > 0 && ranges[n-1].Low == s+1 {
			ranges[n-1].Low = s
		} else {
			ranges = append(ranges, wire.Range{Low: s, High: s})
		}
	}
	b, _ := wire.AppendAck(nil, ranges, 0, wire.MaxBody)
	return l.take(b)
}

func (l *lab) take(body []byte) Outcome {
	l.peerSeq++
	return l.Receive(l.now, l.peerSeq, l.next-1, body, l)
}

func (l *lab) frame(fs ...wire.Frame) Outcome {
	l.t.Helper()
	var b []byte
	for i := range fs {
		if fs[i].Total == 0 {
			fs[i].Total = uint32(len(fs[i].Data))
		}
		b = fs[i].AppendTo(b)
	}
	if !l.table.Check(b) {
		return Malformed
	}
	return l.take(b)
}

func (l *lab) later(d time.Duration) { l.now += d }

// rtt gives the endpoint samples of 100 ms.
func (l *lab) measure() {
	for range 20 {
		s := l.send("x")
		l.later(100 * time.Millisecond)
		l.ack(s)
	}
	if got, _ := l.RTT(); got != 100*time.Millisecond {
		l.t.Fatal(got)
	}
}

func (l *lab) wants(data string) bool {
	for _, s := range l.flush() {
		for _, f := range s.frames {
			if bytes.Equal(f.Data, []byte(data)) {
				return true
			}
		}
	}
	return false
}
