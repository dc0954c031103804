package nakamabridge

import (
	"strconv"
	"sync"
	"testing/synctest"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/transport"
)

// laned is a player by UDP alone whose client has lanes.
type laned struct {
	*transport.Client
	line *netsim.Conn
	done chan struct{} // closed when the session has ended

	mu  sync.Mutex
	got []string // "way op data", where data is no longer than a word, or else its length
	err error    // why the session has ended
}

// seat lets a player with lanes into the match.
func (w *world) seat(name string) *laned {
	w.Helper()
	w.lanes = true
	p := &laned{Client: w.dial(w.signIn(name), ""), line: w.line, done: make(chan struct{})}
	w.lanes = false
	go func() {
		defer close(p.done)
		p.err = p.Serve(transport.ClientHandler{
			Receive: func(b []byte) { p.note("payload", b) },
			Message: func(lane int, _ uint64, b []byte) { p.note("lane "+strconv.Itoa(lane), b) },
		})
	}()
	w.settle()
	return p
}

func (p *laned) note(way string, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	op, data, err := matchdata.Parse(b)
	switch {
	case err != nil:
		p.got = append(p.got, way+" "+err.Error())
	case len(data) > 20:
		p.got = append(p.got, way+" "+strconv.Itoa(int(op))+" "+strconv.Itoa(len(data))+" bytes from "+string(data[:4]))
	default:
		p.got = append(p.got, way+" "+strconv.Itoa(int(op))+" "+string(data))
	}
}

// take returns what has come since the last call.
func (p *laned) take() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

// tick has the game do something in one tick, and waits for a thirtieth of a second.
func (w *world) tick(f func(d runtime.MatchDispatcher)) {
	w.stage.arena.loop = func(d runtime.MatchDispatcher, _ []runtime.MatchData) { f(d) }
	w.stage.loop()
	w.stage.arena.loop = nil
	time.Sleep(time.Second / 30)
}

// numbered returns data of a length that begins with a number.
func numbered(i, length int) []byte {
	b := make([]byte, length)
	copy(b, strconv.Itoa(1000+i))
	return b
}
