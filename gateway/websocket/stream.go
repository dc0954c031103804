package websocket

import (
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// stream is one WebSocket. Its methods are safe for concurrent use, but for read, which one goroutine
// calls.
type stream struct {
	ws   *websocket.Conn
	peer netip.AddrPort // constant
	out  chan *datagram
	done chan struct{} // closed by close
	once sync.Once
	wg   sync.WaitGroup // the writer

	heard, sent, lost atomic.Uint64 // datagrams that have come, that were to go, and of these those that had no room
	allowed           atomic.Int64  // how many may come until the next beat; a Listener's

	// Of the Listener's beat.
	heardThen, sentThen   uint64
	heardBeats, sentBeats int // since one has come, and gone
}

// datagram is a buffer on its way.
type datagram struct {
	from netip.AddrPort
	n    int
	b    [MaxDatagram]byte
}

var datagrams = sync.Pool{New: func() any { return new(datagram) }}

// newStream takes a WebSocket over, and has what is sent written.
func newStream(ws *websocket.Conn, peer netip.AddrPort) *stream {
	s := &stream{ws: ws, peer: peer, out: make(chan *datagram, outbound), done: make(chan struct{})}
	ws.SetReadLimit(MaxDatagram)
	s.wg.Go(s.write)
	return s
}

// errNoDatagram closes a connection that brings something else.
var errNoDatagram = errors.New("websocket: a message is no datagram: it must be binary and have 1 to 1,500 bytes")

// read waits for the next datagram and writes it to d. An error ends the stream.
func (s *stream) read(d *datagram) error {
	kind, r, err := s.ws.NextReader()
	if err != nil {
		return err
	}
	if kind != websocket.BinaryMessage {
		s.refuse(websocket.CloseUnsupportedData)
		return errNoDatagram
	}
	d.n, err = io.ReadFull(r, d.b[:])
	switch {
	case err == io.ErrUnexpectedEOF:
	case err == io.EOF: // an empty one
		s.refuse(websocket.CloseUnsupportedData)
		return errNoDatagram
	case err != nil:
		return err
	default:
		if _, err = r.Read(make([]byte, 1)); err != io.EOF { // more, for which the limit has told the peer why
			return errNoDatagram
		}
	}
	d.from = s.peer
	s.heard.Add(1)
	return nil
}

// refuse tells the peer why the connection is closed.
func (s *stream) refuse(code int) {
	_ = s.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(writeTime))
}

// send has a copy of b written soon. It never waits: where there is no room, the oldest datagram goes.
func (s *stream) send(b []byte) {
	d := datagrams.Get().(*datagram)
	d.n = copy(d.b[:], b)
	s.sent.Add(1)
	for {
		select {
		case s.out <- d:
			return
		default:
		}
		select {
		case old := <-s.out:
			datagrams.Put(old)
			s.lost.Add(1)
		default:
		}
	}
}

// write writes until the stream is closed, and then what is left.
func (s *stream) write() {
	defer s.ws.Close() //nolint:errcheck // and a read under way returns
	for {
		select {
		case <-s.done:
			s.writeRest()
			return
		case d := <-s.out:
			if s.writeOne(d, writeTime) != nil {
				s.close()
				return
			}
		}
	}
}

// writeRest writes what waits, a goodbye for instance, and says that the connection ends.
func (s *stream) writeRest() {
	for {
		select {
		case d := <-s.out:
			if s.writeOne(d, restTime) != nil {
				return
			}
		default:
			goodbye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
			_ = s.ws.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(restTime))
			return
		}
	}
}

func (s *stream) writeOne(d *datagram, within time.Duration) error {
	_ = s.ws.SetWriteDeadline(time.Now().Add(within))
	err := s.ws.WriteMessage(websocket.BinaryMessage, d.b[:d.n])
	datagrams.Put(d)
	return err
}

// close ends the stream soon; a write under way has restTime left.
func (s *stream) close() {
	s.once.Do(func() {
		close(s.done)
		_ = s.ws.NetConn().SetWriteDeadline(time.Now().Add(restTime))
	})
}
