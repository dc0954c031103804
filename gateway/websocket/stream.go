package websocket

import (
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sallyport/sallyport/transport"
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

	least, most int      // bytes of a message; constant
	relay       *browser // nil unless a browser's; constant
	place       *place   // a Listener's; constant

	heard, sent, lost atomic.Uint64 // messages that have come, that were to go, and datagrams that had no room
	allowed           atomic.Int64  // how many may come until the next beat; a Listener's

	// Of the Listener's beat.
	heardThen, sentThen   uint64
	heardBeats, sentBeats int // since one has come, and gone
	leftBeats             int // of sentBeats, those in which the server has said something to others
}

// datagram is a buffer on its way.
type datagram struct {
	from netip.AddrPort
	n    int
	b    [MaxDatagram]byte
}

var datagrams = sync.Pool{New: func() any { return new(datagram) }}

// newStream takes a WebSocket over, and has what is sent written. relay is nil unless it is a browser's.
func newStream(ws *websocket.Conn, peer netip.AddrPort, relay *browser) *stream {
	s := &stream{ws: ws, peer: peer, out: make(chan *datagram, outbound), done: make(chan struct{}), relay: relay}
	if s.least, s.most = 1, MaxDatagram; relay != nil {
		s.least, s.most = transport.MinEnvelope, transport.MaxEnvelope
		relay.stream = s
	}
	ws.SetReadLimit(int64(s.most))
	s.wg.Go(s.write)
	return s
}

var (
	errNoDatagram = errors.New("websocket: a datagram has 1 to 1,500 bytes")
	errNoMessage  = errors.New("websocket: a message must be binary, and no shorter or longer than its subprotocol says")
)

// read waits for the next datagram and writes it to d. An error ends the stream.
func (s *stream) read(d *datagram) error {
	kind, r, err := s.ws.NextReader()
	if err != nil {
		return err
	}
	if kind != websocket.BinaryMessage {
		s.refuse(websocket.CloseUnsupportedData)
		return errNoMessage
	}
	d.n, err = io.ReadFull(r, d.b[:s.most])
	switch {
	case err == io.ErrUnexpectedEOF && d.n >= s.least:
	case err == io.ErrUnexpectedEOF, err == io.EOF: // too short
		s.refuse(websocket.CloseUnsupportedData)
		return errNoMessage
	case err != nil:
		return err
	default:
		if _, err = r.Read(make([]byte, 1)); err != io.EOF { // more, for which the limit has told the peer why
			return errNoMessage
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
	if s.relay == nil { // else what it makes of it counts
		s.sent.Add(1)
	}
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
	defer s.relay.close()
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
	defer datagrams.Put(d)
	if s.relay != nil {
		return s.relay.deliver(d.b[:d.n], within)
	}
	return s.writeMessage(d.b[:d.n], within)
}

func (s *stream) writeMessage(b []byte, within time.Duration) error {
	_ = s.ws.SetWriteDeadline(time.Now().Add(within))
	return s.ws.WriteMessage(websocket.BinaryMessage, b)
}

// close ends the stream soon; a write under way has restTime left.
func (s *stream) close() {
	s.once.Do(func() {
		close(s.done)
		_ = s.ws.NetConn().SetWriteDeadline(time.Now().Add(restTime))
	})
}
