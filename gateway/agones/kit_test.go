package agones

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway/internal/sdkserver"
)

// pod is a game server's pod in virtual time: an SDK server that may not have started, and an agent.
type pod struct {
	*sdkserver.Server
	*testing.T

	client *Client
	conns  chan net.Conn // to the SDK server
	up     atomic.Bool
	agent  *Agent
	audit  *audit.Recent
	log    *buffer
	sick   atomic.Bool // Well returns an error

	mu      sync.Mutex
	drained []string // destinations
	players []string
	stay    time.Duration // how long a drain takes
}

// buffer is a log that may be written while it is read.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// count returns how many lines have a text.
func (b *buffer) count(text string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.b.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// inPod runs f with a pod whose SDK server is up.
func inPod(t *testing.T, f func(p *pod)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPod(t, "game-1")
		defer p.start()()
		f(p)
	})
}

func newPod(t *testing.T, name string) *pod {
	t.Helper()
	client, err := NewClient("http://127.0.0.1:9358")
	if err != nil {
		t.Fatal(err)
	}
	p := &pod{Server: sdkserver.New(name), T: t, client: client, conns: make(chan net.Conn), audit: audit.NewRecent(100), log: new(buffer)}
	client.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if !p.up.Load() {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		ours, theirs := net.Pipe()
		select {
		case p.conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return p
}

// start runs the SDK server until the function is called.
func (p *pod) start() (end func()) {
	l := pipes{p.conns, make(chan struct{})}
	s := &http.Server{Handler: p.Server, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	p.up.Store(true)
	return func() {
		p.up.Store(false)
		p.client.Close()
		_ = s.Close()
		<-done
		synctest.Wait()
	}
}

// runs runs an agent until the function is called.
func (p *pod) runs(configure ...func(*AgentConfig)) (end func()) {
	p.Helper()
	config := AgentConfig{
		Client: p.client, Audit: p.audit, Log: slog.New(slog.NewTextHandler(p.log, nil)),
		Well: func() error {
			if p.sick.Load() {
				return errors.New("the game is away")
			}
			return nil
		},
		Drain: func(ctx context.Context, to string) error {
			p.mu.Lock()
			p.drained = append(p.drained, to)
			stay := p.stay
			p.mu.Unlock()
			if !pause(ctx, stay) {
				return ctx.Err()
			}
			return nil
		},
	}
	for _, f := range configure {
		f(&config)
	}
	var err error
	if p.agent, err = NewAgent(config); err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithCancel(p.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.agent.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// after waits, and until everything has come to rest.
func (p *pod) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// called counts the calls of a method and path.
func (p *pod) called(call string) (n int) {
	for _, c := range p.Calls() {
		if c == call {
			n++
		}
	}
	return n
}

func (p *pod) drains() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%q", p.drained)
}
