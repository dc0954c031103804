package nakama

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/heroiclabs/nakama-common/rtapi"
	"google.golang.org/protobuf/proto"
)

// dialer makes the WebSockets. There is no proxy between a gateway and its Nakama.
var dialer = &websocket.Dialer{
	HandshakeTimeout: requestTimeout, ReadBufferSize: 4096, WriteBufferSize: 4096, WriteBufferPool: new(sync.Pool),
}

// socket is a player's WebSocket to Nakama. One goroutine reads, one writes; close may be called by any.
type socket struct {
	conn *websocket.Conn
	out  []byte // of the writing goroutine
	in   []byte // of the reading goroutine
}

// dial opens a WebSocket with a session token for a player at an address, empty if unknown.
func dial(ctx context.Context, api, token, address string) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	header := http.Header{}
	if address != "" {
		header.Set("X-Forwarded-For", address)
	}
	to := "ws" + strings.TrimPrefix(api, "http") + "/ws?" + url.Values{"format": {"protobuf"}, "token": {token}}.Encode()
	conn, answer, err := dialer.DialContext(ctx, to, header)
	if answer != nil {
		answer.Body.Close() //nolint:errcheck // nothing of it is read
	}
	switch {
	case err == nil:
	case errors.Is(err, websocket.ErrBadHandshake) && answer != nil && answer.StatusCode == http.StatusUnauthorized:
		return nil, errUnauthorized
	case errors.Is(err, websocket.ErrBadHandshake) && answer != nil:
		return nil, &statusError{answer.StatusCode}
	default:
		return nil, plain(err)
	}
	s := &socket{conn: conn}
	conn.SetReadLimit(maxFrame)
	s.alive()
	conn.SetPongHandler(func(string) error { return s.alive() })
	conn.SetPingHandler(func(data string) error {
		err := conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout))
		if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, websocket.ErrCloseSent) {
			err = nil // the reader finds out by itself
		}
		return errors.Join(err, s.alive())
	})
	return s, nil
}

// alive gives the other end its time again.
func (s *socket) alive() error { return s.conn.SetReadDeadline(time.Now().Add(pongWait)) }

// ping asks for a sign of life.
func (s *socket) ping() error {
	return s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout))
}

// read waits for the next message.
func (s *socket) read(e *rtapi.Envelope) error {
	_, r, err := s.conn.NextReader()
	if err != nil {
		return err
	}
	s.in, err = appendAll(s.in[:0], r)
	if err != nil {
		return err
	}
	err = proto.Unmarshal(s.in, e)
	if cap(s.in) > 64<<10 {
		s.in = nil
	}
	return err
}

// appendAll is io.ReadAll into memory that is there already.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return b, err
		}
	}
}

// write sends a message, and waits for at most writeTimeout.
func (s *socket) write(e *rtapi.Envelope) (err error) {
	if s.out, err = (proto.MarshalOptions{}).MarshalAppend(s.out[:0], e); err != nil {
		return err
	}
	if err = s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.BinaryMessage, s.out)
}

// bye says that the player goes as planned.
func (s *socket) bye() {
	s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(writeTimeout)) //nolint:errcheck // the connection ends either way
}

// close ends the connection at once.
func (s *socket) close() { s.conn.Close() } //nolint:errcheck // nothing of it is used any more
