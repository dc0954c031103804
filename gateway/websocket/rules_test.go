package websocket

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// "The flow's address for the server is the client's IP address with the port of the TCP connection." PROTOCOL.md 9.8.
// Two WebSockets of one client are two flows.
func TestFlowAddress(t *testing.T) {
	t.Parallel()
	l, url := listener(t, Config{})
	for _, text := range []string{"first", "second"} {
		ws, err := dial(t, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := ws.WriteMessage(websocket.BinaryMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, from := take(t, l); got != text || from != netip.MustParseAddrPort(ws.NetConn().LocalAddr().String()) {
			t.Errorf("%q comes from %v, and was sent from %v", got, from, ws.NetConn().LocalAddr())
		}
	}
}

// "A server SHOULD close a WebSocket on which nothing has come or gone for 60 s, and one to which it has said nothing for
// 10 s after the upgrade." PROTOCOL.md 9.8
func TestIdleTimes(t *testing.T) {
	t.Parallel()
	config, err := Config{}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	const long = 10 * time.Minute
	for name, c := range map[string]struct {
		come, gone time.Duration // how often; 0 for never
		answered   bool          // at the start
		want       time.Duration // 0: it stays
	}{
		"both ways":               {10 * time.Second, 10 * time.Second, true, 0},
		"both ways, seldom":       {59 * time.Second, 59 * time.Second, true, 0},
		"nothing comes":           {0, time.Second, true, 60 * time.Second},
		"nothing goes":            {time.Second, 0, true, 60 * time.Second},
		"nothing":                 {0, 0, true, 60 * time.Second},
		"never answered":          {time.Second, 0, false, 10 * time.Second},
		"silent, and no answer":   {0, 0, false, 10 * time.Second},
		"answered within 10 s":    {time.Second, 9 * time.Second, false, 0},
		"answered too late, once": {time.Second, 11 * time.Second, false, 10 * time.Second},
	} {
		s := &stream{}
		if c.answered {
			s.sent.Add(1)
		}
		var closed time.Duration
		for at := beat; at <= long; at += beat {
			if c.come > 0 && at%c.come == 0 {
				s.heard.Add(1)
			}
			if c.gone > 0 && at%c.gone == 0 {
				s.sent.Add(1)
			}
			if s.beat(config) {
				closed = at
				break
			}
		}
		if d := closed - c.want; (closed == 0) != (c.want == 0) || d < 0 || d > 2*beat {
			t.Errorf("%s: it is closed after %v, want %v", name, closed, c.want)
		}
	}
}

// "Control frames carry no part of the session. PING of section 3.6 keeps the connection." PROTOCOL.md 9.8. A control
// frame is answered as RFC 6455 has it, is no datagram, and keeps nothing open.
func TestControlFrames(t *testing.T) {
	t.Parallel()
	l, url := listener(t, Config{})
	ws, err := dial(t, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	pongs := make(chan string, 10)
	ws.SetPongHandler(func(text string) error {
		pongs <- text
		return nil
	})
	go ws.ReadMessage() //nolint:errcheck // it ends with the test
	for range 10 {
		if err := ws.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(5*time.Second)); err != nil {
			t.Fatal(err)
		}
		select {
		case text := <-pongs:
			if text != "ping" {
				t.Errorf("the answer to a ping is %q", text)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("a ping is not answered")
		}
	}
	l.mu.RLock()
	for _, s := range l.streams {
		if n, m := s.heard.Load(), s.sent.Load(); n != 0 || m != 0 {
			t.Errorf("control frames count as %d datagrams that came and %d that went", n, m)
		}
	}
	l.mu.RUnlock()
	if err := ws.WriteMessage(websocket.BinaryMessage, []byte("datagram")); err != nil {
		t.Fatal(err)
	}
	if text, _ := take(t, l); text != "datagram" {
		t.Errorf("%q is read as a datagram", text)
	}
}
