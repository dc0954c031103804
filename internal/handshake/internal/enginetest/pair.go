package enginetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
)

// Limit is the context time limit of the handshakes here.
const Limit = 5 * time.Second

// Pair is two ends and what their handshake came to.
type Pair struct {
	Link               *Link
	Server, Client     *End
	ServerRes          *handshake.Result
	ClientRes          *handshake.Result
	ServerErr          error
	ClientErr          error
	ServerAt, ClientAt time.Duration // when they were done
}

// Configs returns a server's and a client's configuration that fit, with an ECDSA or an RSA certificate.
func Configs(t testing.TB, isRSA bool) (server, client *handshake.Config) {
	t.Helper()
	ec, _, rsaKey, _, _ := Keys(t)
	key := ec
	if isRSA {
		key = rsaKey
	}
	ca := NewAuthority("authority", isRSA)
	return &handshake.Config{Certificate: Fixed(ca.Issue(ServerName, key))},
		&handshake.Config{RootCAs: ca.Pool, ServerName: ServerName}
}

// Run makes one handshake over the link and waits until both ends are done.
func Run(t testing.TB, l *Link, se, ce handshake.Engine, sc, cc *handshake.Config) *Pair {
	t.Helper()
	p := &Pair{Link: l, Server: NewEnd(l, false), Client: NewEnd(l, true)}
	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	defer cancel()
	start, done := time.Now(), make(chan struct{})
	go func() {
		defer close(done)
		if p.ServerRes, p.ServerErr = se.Server(ctx, p.Server.Conn, sc); p.ServerErr == nil {
			p.Server.Established(t, p.ServerRes)
		}
		p.ServerAt = time.Since(start)
	}()
	if p.ClientRes, p.ClientErr = ce.Client(ctx, p.Client.Conn, cc); p.ClientErr == nil {
		p.Client.Established(t, p.ClientRes)
	}
	p.ClientAt = time.Since(start)
	<-done
	return p
}

// Check requires that both ends are done and agree, and lets them talk.
func (p *Pair) Check(t testing.TB) {
	t.Helper()
	if p.ServerErr != nil || p.ClientErr != nil {
		t.Fatalf("server: %v (%v), client: %v (%v)", p.ServerErr, Cause(p.ServerErr), p.ClientErr, Cause(p.ClientErr))
	}
	s, c := p.ServerRes.Secrets, p.ClientRes.Secrets
	if s.Suite != c.Suite || s.Master != c.Master || s.ClientRandom != c.ClientRandom || s.ServerRandom != c.ServerRandom {
		t.Fatal("the ends hold different secrets")
	}
	if !bytes.Equal(s.Export("EXPERIMENTAL-x", 32), c.Export("EXPERIMENTAL-x", 32)) {
		t.Fatal("the ends export different keys")
	}
	if !p.Server.Conn.Proven() || p.Client.Conn.Proven() {
		t.Error("Proven: only a server can tell")
	}
	p.Client.Say(t, "up")
	p.Server.Say(t, "down")
	for wait := time.Millisecond; !slices.Contains(p.Server.Heard(), "up") || !slices.Contains(p.Client.Heard(), "down"); wait *= 2 {
		if wait > 5*time.Second {
			t.Fatalf("server heard %q, client heard %q", p.Server.Heard(), p.Client.Heard())
		}
		time.Sleep(p.Link.Latency + wait)
	}
	p.Wait()
}

// Wait waits for the engines to end.
func (p *Pair) Wait() {
	p.Server.Conn.Wait()
	p.Client.Conn.Wait()
}

// Cause returns the text of what a failure leaves out of its own.
func Cause(err error) string {
	if f, ok := err.(interface{ Unwrap() []error }); ok {
		return errors.Join(f.Unwrap()...).Error()
	}
	return ""
}
