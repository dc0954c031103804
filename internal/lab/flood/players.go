//go:build linux

package flood

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// dialer lets players in.
type dialer struct {
	server *server
	roots  *x509.CertPool
}

// dial lets a player in from an address, and has event told what happens to it later.
func (d *dialer) dial(ctx context.Context, name string, from netip.Addr, event func(transport.ClientEvent)) (*transport.Client, error) {
	socket, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)))
	if err != nil {
		return nil, err
	}
	c, err := transport.Dial(ctx, d.server.addr.String(), transport.ClientConfig{
		RootCAs: d.roots, Conn: socket, OnEvent: event,
		Token: func(context.Context) ([]byte, error) {
			t, err := d.server.dev.Issuer.Mint(time.Now(), token.Grant{Subject: name})
			return []byte(t), err
		},
	})
	if err != nil {
		socket.Close() //nolint:errcheck // err says more
	}
	return c, err
}

// players are those who play from the beginning to the end.
type players struct {
	clients        []*transport.Client
	sent, answered atomic.Uint64
	gone, resumed  atomic.Int64
	playing        sync.WaitGroup
	stop           context.CancelFunc
}

// join lets n players in, and has them play.
func (d *dialer) join(ctx context.Context, n int) (*players, error) {
	p := &players{clients: make([]*transport.Client, n)}
	errs := make([]error, n)
	for first := 0; first < n; first += joinAtOnce {
		var joining sync.WaitGroup
		for i := first; i < min(first+joinAtOnce, n); i++ {
			joining.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, dialTime)
				defer cancel()
				p.clients[i], errs[i] = d.dial(ctx, fmt.Sprintf("player-%d", i), player(i), p.event)
			})
		}
		joining.Wait()
	}
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	for i, c := range p.clients {
		if c == nil {
			continue
		}
		p.playing.Go(func() { p.hear(c) })
		p.playing.Go(func() { p.play(ctx, c, i) })
	}
	err := errors.Join(errs...)
	if err != nil {
		p.leave()
	}
	return p, err
}

// joinAtOnce is how many players dial at once, of several networks.
const joinAtOnce = 8

// play sends inputs, each of another length than the 31 before it.
func (p *players) play(ctx context.Context, c *transport.Client, number int) {
	time.Sleep(time.Duration(number) * time.Second / PerSecond / time.Duration(len(p.clients))) // not in step
	ticker := time.NewTicker(time.Second / PerSecond)
	defer ticker.Stop()
	b := make([]byte, payload+lengths)
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if c.Send(b[:payload+n%lengths]) != nil {
			return // hear has noticed
		}
		p.sent.Add(1)
	}
}

// hear counts answers until the session is over.
func (p *players) hear(c *transport.Client) {
	err := c.Serve(transport.ClientHandler{Receive: func([]byte) { p.answered.Add(1) }})
	if !errors.Is(err, net.ErrClosed) {
		p.gone.Add(1)
	}
}

// event counts sessions that have gone on by ticket.
func (p *players) event(e transport.ClientEvent) {
	if e.Kind == transport.EventResumed {
		p.resumed.Add(1)
	}
}

// leave ends all of them.
func (p *players) leave() {
	p.stop()
	for _, c := range p.clients {
		if c != nil {
			c.Close() //nolint:errcheck // the socket is gone either way
		}
	}
	p.playing.Wait()
}
