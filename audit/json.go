package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/auditchain"
)

// ErrConfig is returned by NewJSON for a configuration that cannot work.
var ErrConfig = errors.New("audit: bad configuration")

// JSONConfig configures a JSON sink. The zero value works.
type JSONConfig struct {
	// Key turns subjects and token ids into pseudonyms, which are the same for as long as the key is.
	// It has at least 16 bytes; nil means a random key that ends with the process.
	Key []byte

	// Queue is how many events may wait for the writer. Zero means 4,096; negative is an error.
	// Revocations, bans, their lifting, withdrawals and calls of services have room for 16,384 more;
	// alarms, floods and key changes for 256 beyond that.
	Queue int

	// PerSecond is how many lines are written in one second of the clock; further events are only
	// counted. Rejections and denials, which strangers can cause, take at most half of them. The
	// sessions of one player may write 20 lines at once, and then one every 2 s. Revocations, bans and
	// calls of services do not count among them, nor do alarms, floods and key changes: each of these
	// two groups has a share of its own, PerSecond in the long run and 16,384 or 256 at once, so that
	// no flood hides them. Zero means 100, negative means no limit.
	PerSecond int

	// Chain makes a chain of the lines; nil means none.
	Chain *ChainConfig
}

// JSON is a Sink that writes one JSON object a line. Each line is one call of the writer, so no
// buffer keeps anything. With a chain it writes lines of its own besides: at the start, once in a
// while, and at the end.
type JSON struct {
	w         io.Writer     // set by NewJSON, constant afterwards; used by the goroutine only
	pseudonym pseudonymizer // likewise constant

	wg   sync.WaitGroup // the writing goroutine; Close waits
	torn bool           // owned by the goroutine: the last line written may lack its end

	chain *auditchain.Chain // owned by the goroutine; nil without one
	every time.Duration     // between two heads of the chain; constant

	queue chan *line // sent to and closed with mu held; the goroutine receives
	room  int        // in the queue, for events without a reserved share; constant

	mu sync.Mutex
	// +checklocks:mu
	closed bool
	// +checklocks:mu
	limiter limiter
	// +checklocks:mu
	pending tally // for the next line
	// +checklocks:mu
	lost uint64 // since NewJSON
	// +checklocks:mu
	failure error // first of the writer, or of what signs its chain
}

var _ Sink = (*JSON)(nil)

// NewJSON starts a sink that writes to w from one goroutine, until Close. The error matches
// ErrConfig.
func NewJSON(w io.Writer, c JSONConfig) (*JSON, error) {
	key := c.Key
	if key == nil {
		key = randomKey()
	}
	switch {
	case w == nil:
		return nil, fmt.Errorf("%w: the writer is missing", ErrConfig)
	case len(key) < minKey:
		return nil, fmt.Errorf("%w: Key has %d bytes, want at least %d", ErrConfig, len(key), minKey)
	case c.Queue < 0:
		return nil, fmt.Errorf("%w: Queue of %d events", ErrConfig, c.Queue)
	}
	if err := c.Chain.check(); err != nil {
		return nil, err
	}
	j := &JSON{
		w:         w,
		pseudonym: newPseudonymizer(key),
		limiter:   newLimiter(cmp.Or(c.PerSecond, defaultPerSecond)),
		room:      cmp.Or(c.Queue, defaultQueue),
	}
	j.queue = make(chan *line, Alarm.room(j.room))
	j.link(c.Chain)
	j.wg.Go(j.run)
	return j, nil
}

// Record queues e. Events beyond PerSecond count as suppressed; events that find the queue full,
// the sink closed or the writer failing count as lost.
func (j *JSON) Record(e Event) {
	now := time.Now()
	if e.Time.IsZero() {
		e.Time = now
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		j.lost++
	case !j.limiter.admit(&e, now):
		j.pending.Suppressed++
	case len(j.queue) >= e.Decision.room(j.room):
		j.lost++
		j.pending.Lost++
	default:
		l := newLine(e, j.pseudonym, j.pending)
		j.queue <- &l // has room: all senders hold mu
		j.pending = tally{}
	}
}

// Lost returns how many events were lost since NewJSON. Suppressed ones are not among them.
func (j *JSON) Lost() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lost
}

// Close writes the queued lines and waits for the writer: a writer that hangs holds up Close and
// nothing else. The error is the writer's first, and net.ErrClosed for a second call. Later events
// are lost. Close does not close the writer.
func (j *JSON) Close() error {
	if !j.stop() {
		return net.ErrClosed
	}
	j.wg.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

// stop lets the goroutine end; false if it already has been told.
func (j *JSON) stop() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return false
	}
	j.closed = true
	close(j.queue)
	return true
}
