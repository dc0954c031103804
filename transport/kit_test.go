package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/token"
)

// world is a match server and its players: on a simulated network in virtual
// time, or on the loopback interface. What its functions start, they end.
type world struct {
	*testing.T
	net       *netsim.Network // nil on loopback
	authority *testkit.Authority
	issuer    *testkit.Issuer
	address   string         // to listen on, on loopback
	place     netip.AddrPort // to listen on, on the simulated network
	server    *Server
	match     *match
	player    *stayer // by underWay
	audit     *sink
	dialled   sync.Mutex // clients, for tests that dial at once
	clients   []*Client
	framed    bool           // clients run Poll, once a pace
	pace      time.Duration  // of frame loops, a 60th of a second; longer for tests of hours
	frames    sync.WaitGroup // those loops
	serving   sync.WaitGroup
	served    error // what Serve returned
}

// serverAddr and playerAddr are the simulated addresses; each player has a /24
// of its own.
var serverAddr = netip.MustParseAddrPort("10.0.0.1:7777")

// elsewhere is in another network than all players, and thief where nobody listens.
var (
	elsewhere = netip.MustParseAddrPort("172.16.5.5:9")
	thief     = netip.MustParseAddrPort("10.9.9.9:9")
)

func playerAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(1 + n/250), byte(1 + n%250), 2}), 1000)
}

// virtual runs f in a bubble, which fails if a goroutine outlives f.
func virtual(t *testing.T, f func(w *world)) {
	t.Helper()
	inBubble(t, false, f)
}

// both is virtual, once with clients that run by themselves, and once with those of a frame loop.
func both(t *testing.T, f func(w *world)) {
	t.Helper()
	t.Run("by itself", func(t *testing.T) { inBubble(t, false, f) })
	t.Run("Poll", func(t *testing.T) { inBubble(t, true, f) })
}

func inBubble(t *testing.T, framed bool, f func(w *world)) {
	t.Helper()
	short(t, func() (datagrams uint64) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.net, w.framed = netsim.New(1), framed
			began := time.Now()
			defer func() {
				w.close()
				datagrams = w.net.Stats().Sent
				if framed {
					datagrams += uint64(len(w.clients)) * uint64(time.Since(began)/w.pace)
				}
			}()
			f(w)
		})
		return datagrams
	})
}

func newWorld(t *testing.T) *world {
	return &world{T: t, address: "127.0.0.1:0", place: serverAddr, authority: testkit.NewAuthority(t), issuer: testkit.NewIssuer(t), match: &match{}, audit: &sink{}, pace: time.Second / 60}
}

// close ends players, server and network, whatever the test has left of them.
func (w *world) close() {
	for _, c := range w.clients {
		c.Close()
	}
	w.frames.Wait()
	if w.server != nil {
		if err := w.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			w.Errorf("Close: %v", err)
		}
	}
	w.serving.Wait()
	if w.net != nil {
		w.net.Close()
	}
}

// listen makes the server; on the simulated network unless told otherwise.
func (w *world) listen(configure ...func(*Config)) *Server {
	w.Helper()
	config := Config{Certificate: *w.authority.Server(w), Verifier: w.issuer.Verifier(w), Audit: w.audit}
	if w.net != nil {
		config.Conn = w.socket(w.place)
	}
	for _, f := range configure {
		f(&config)
	}
	var err error
	if w.server, err = Listen(w.address, config); err != nil {
		w.Fatal(err)
	}
	return w.server
}

// serve makes the server and runs Serve.
func (w *world) serve(configure ...func(*Config)) *Server {
	w.Helper()
	if w.server != nil && w.server.lifetime.closed.Load() {
		w.serving.Wait() // the one before
	}
	s := w.listen(configure...)
	w.serving.Go(func() { w.served = s.Serve(w.match.handler()) })
	return s
}

// tick makes the server and runs Poll and Flush at 60 Hz.
func (w *world) tick(configure ...func(*Config)) *Server {
	w.Helper()
	s := w.listen(configure...)
	w.serving.Go(func() {
		for h := w.match.handler(); w.served == nil; time.Sleep(time.Second / 60) {
			_, w.served = s.Poll(h)
			s.Flush()
		}
	})
	return s
}

func (w *world) socket(addr netip.AddrPort) *netsim.Conn {
	w.Helper()
	conn, err := w.net.Listen(addr)
	if err != nil {
		w.Fatal(err)
	}
	return conn
}

// dial connects player n with a fresh token for "match". With virtual time it returns
// when the client has said everything it has to say at first: what goes through the
// network next is the test's.
func (w *world) dial(n int, configure ...func(*ClientConfig)) *Client {
	w.Helper()
	c := w.join(n, configure...)
	if w.net != nil {
		synctest.Wait()
	}
	return c
}

// join is dial for several at once: only one may wait for everybody.
func (w *world) join(n int, configure ...func(*ClientConfig)) *Client {
	w.Helper()
	c, err := w.try(n, configure...)
	if err != nil {
		w.Fatalf("player %d: %v; server: %+v", n, err, w.server.Stats())
	}
	return c
}

// try is join that may fail: it gives up after ten seconds of virtual time.
func (w *world) try(n int, configure ...func(*ClientConfig)) (*Client, error) {
	w.Helper()
	limit := 10 * time.Second
	if w.net == nil {
		limit = patience
	}
	return w.tryFor(limit, n, configure...)
}

// tryFor is try with another limit.
func (w *world) tryFor(limit time.Duration, n int, configure ...func(*ClientConfig)) (*Client, error) {
	w.Helper()
	config := ClientConfig{
		RootCAs: w.authority.Pool(), ServerName: testkit.ServerName,
		Token: w.tokens(grantFor(n)),
	}
	if w.net != nil {
		config.Conn = w.socket(playerAddr(n))
	}
	for _, f := range configure {
		f(&config)
	}
	ctx, cancel := context.WithTimeout(w.Context(), limit)
	defer cancel()
	c, err := Dial(ctx, w.server.Addr().String(), config)
	if err == nil {
		w.dialled.Lock()
		defer w.dialled.Unlock()
		w.clients = append(w.clients, c)
		if w.framed {
			w.frames.Go(func() { frames(c, ClientHandler{}, w.pace) })
		}
	}
	return c, err
}

// frames is a game's frame loop. It ends when Poll has answered for the last time.
func frames(c *Client, h ClientHandler, pace time.Duration) {
	for {
		if _, err := c.Poll(h); err != nil && !c.polled() {
			return
		}
		time.Sleep(pace)
	}
}

func grantFor(n int) token.Grant {
	return token.Grant{Subject: fmt.Sprint("player ", n), Scope: "match"}
}

// tokens is a ClientConfig.Token that mints for a grant.
func (w *world) tokens(g token.Grant) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(w.issuer.Token(w, g)), nil }
}

// once is a ClientConfig.Token that has no second token.
func (w *world) once(g token.Grant) func(context.Context) ([]byte, error) {
	raw := []byte(w.issuer.Token(w, g))
	return func(context.Context) (b []byte, err error) {
		if raw == nil {
			return nil, errors.New("no more tokens")
		}
		b, raw = raw, nil
		return b, nil
	}
}

// echo has a payload go to the match and back.
func (w *world) echo(c *Client, text string) {
	w.Helper()
	if err := c.Send([]byte(text)); err != nil {
		w.Fatal(err)
	}
	if got := w.receive(c); got != text {
		w.Fatalf("echo of %q is %q", text, got)
	}
}

// patience is how long something may take on sockets that takes milliseconds: a busy machine's worst.
const patience = 20 * time.Second

// promptly is how long something may take at most that does not wait for the end of its context, which
// comes after patience.
const promptly = patience / 2

// A socket that refuses everything is given up within a second, on a machine that is idle.
const _ = uint(time.Second - sendPatience)

// await waits until f reports true.
func (w *world) await(what string, f func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Errorf("waited in vain for %s", what)
			return
		}
	}
}

// receive waits for the next payload.
func (w *world) receive(c *Client) string {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	b := make([]byte, wire.MaxBody)
	n, err := c.Receive(ctx, b)
	if err != nil {
		w.Fatalf("Receive: %v; server: %+v", err, w.server.Stats())
	}
	return string(b[:n])
}

// ending waits a minute for the end of a client's session, and returns why.
func (w *world) ending(c *Client) error {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	for b := make([]byte, wire.MaxBody); ; {
		_, err := c.Receive(ctx, b)
		if err != nil && !errors.Is(err, io.ErrShortBuffer) {
			return err
		}
	}
}

// closed fails unless err is a CloseError for reason.
func (w *world) closed(err error, reason wire.Reason) {
	w.Helper()
	if e, ok := errors.AsType[*CloseError](err); !ok || e.Reason != reason {
		w.Errorf("closed by %v, want %v", err, reason)
	}
}

// quiet fails unless nobody has left.
func (w *world) quiet() {
	w.Helper()
	synctest.Wait()
	if left := w.match.left(); len(left) > 0 {
		w.Errorf("players have left: %v", left)
	}
}
