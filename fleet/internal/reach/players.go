package reach

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// Player is one player with a session on each of some servers.
type Player struct {
	Subject string

	clients []*transport.Client
	busy    atomic.Bool    // sends often
	wg      sync.WaitGroup // one goroutine for each client; Leave waits
	stop    context.CancelFunc
}

// Intervals between two datagrams of a client: of a player in whom nobody is interested now, and of
// one who is about to be put out. The latter is the resolution of what is measured.
const (
	calm = 200 * time.Millisecond
	busy = 5 * time.Millisecond
)

// Join has a player join every server, and then send until it is put out or leaves.
func (f *Fleet) Join(ctx context.Context, subject string) (*Player, error) {
	sending, stop := context.WithCancel(context.Background())
	p := &Player{Subject: subject, stop: stop}
	for _, s := range f.Servers {
		c, err := f.Dial(ctx, s, subject)
		if err != nil {
			p.Leave()
			return nil, fmt.Errorf("reach: %s at %s: %w", subject, s.Name, err)
		}
		p.clients = append(p.clients, c)
		p.wg.Go(func() { p.play(sending, c) })
	}
	return p, nil
}

// JoinAll has players join every server.
func (f *Fleet) JoinAll(ctx context.Context, name string, n int) ([]*Player, error) {
	players, errs := make([]*Player, n), make(chan error, n)
	slots := make(chan bool, dialsAtOnce)
	var wg sync.WaitGroup
	for i := range players {
		slots <- true
		wg.Go(func() {
			defer func() { <-slots }()
			var err error
			if players[i], err = f.Join(ctx, fmt.Sprintf("%s-%d", name, i)); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return nil, err
	default:
		return players, nil
	}
}

// Mint returns an identity token of a player.
func (f *Fleet) Mint(subject string) ([]byte, error) {
	raw, err := f.dev.Issuer.Mint(time.Now(), token.Grant{Subject: subject})
	return []byte(raw), err
}

// Dial has a player join one server with a fresh token.
func (f *Fleet) Dial(ctx context.Context, s *Server, subject string) (*transport.Client, error) {
	return transport.Dial(ctx, s.Addr, transport.ClientConfig{
		RootCAs: f.roots, Token: func(context.Context) ([]byte, error) { return f.Mint(subject) },
	})
}

// DialWith is Dial with a token that may have been used.
func (f *Fleet) DialWith(ctx context.Context, s *Server, raw []byte) (*transport.Client, error) {
	return transport.Dial(ctx, s.Addr, transport.ClientConfig{
		RootCAs: f.roots, Token: func(context.Context) ([]byte, error) { return raw, nil },
	})
}

// play sends until the session is over.
func (p *Player) play(ctx context.Context, c *transport.Client) {
	for {
		if err := c.Send([]byte("input")); err != nil {
			return
		}
		wait := calm
		if p.busy.Load() {
			wait = busy
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// Leave ends the player's sessions and returns when nothing of them is left.
func (p *Player) Leave() {
	p.stop()
	var wg sync.WaitGroup
	for _, c := range p.clients {
		wg.Go(func() { c.Close() }) //nolint:errcheck // it may have been put out
	}
	wg.Wait()
	p.wg.Wait()
}
