package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// exchanges is a Config.OnExchange that remembers.
type exchanges struct {
	mu   sync.Mutex
	list []Exchange
}

func (x *exchanges) add(e Exchange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = append(x.list, e)
}

func (x *exchanges) all() []Exchange {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.list)
}

// words is an exchange in words: each step with its outcome and cause.
func words(e Exchange) string {
	var b []string
	for _, s := range e.Steps {
		b = append(b, strings.TrimSpace(fmt.Sprint(s.Kind, " ", s.Outcome, " ", s.Cause)))
	}
	return strings.Join(b, ", ")
}

// lines is the audit's decisions under one trace id.
func (s *sink) lines(id TraceID) (list []string) {
	for _, e := range s.all() {
		if e.Trace == id.String() {
			list = append(list, e.Decision.String())
		}
	}
	return list
}

// "OnExchange is told of each handshake, sign-in, resumption and renewal when it is over": one
// exchange each, and the audit's lines name it. The end of a session names the exchange by which it
// came to its connection.
func TestExchanges(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var x exchanges
		w.serve(func(c *Config) { c.OnExchange = x.add })
		c := w.dial(1)
		time.Sleep(12 * time.Minute)
		c.Close()
		time.Sleep(time.Minute)
		all := x.all()
		want := []string{"handshake ok, sign-in ok, verification ok", "renewal ok, verification ok"}
		if len(all) != len(want) {
			t.Fatalf("%d exchanges: %+v", len(all), all)
		}
		for i, e := range all {
			if words(e) != want[i] {
				t.Errorf("exchange %d is %q, want %q", i, words(e), want[i])
			}
			for _, s := range e.Steps {
				if took := s.End.Sub(s.Start); took < 0 || took > 10*time.Second || s.Start.IsZero() {
					t.Errorf("%v took %v from %v", s.Kind, took, s.Start)
				}
			}
		}
		if all[0].Main().Kind != StepSignIn || all[1].Main().Kind != StepRenewal || all[0].Trace == all[1].Trace {
			t.Errorf("%+v", all)
		}
		if got := fmt.Sprint(w.audit.lines(all[0].Trace)); got != "[accept close]" {
			t.Errorf("under the sign-in's trace: %v", got)
		}
		if got := fmt.Sprint(w.audit.lines(all[1].Trace)); got != "[renew]" {
			t.Errorf("under the renewal's trace: %v", got)
		}
	})
}

// A refusal is an exchange with the label and the cause that the audit has.
func TestExchangesRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server func(*Config)
		client func(*ClientConfig)
		join   func(*Player)
		want   string
	}{
		"token": {client: func(c *ClientConfig) { c.Token = fixed("no token") }, want: "handshake ok, sign-in token token form, verification token token form"},
		"authorize": {server: func(c *Config) {
			c.Session.Authorize = func(*session.Admission) error { return session.Refusal(wire.ReasonFull) }
		}, want: "handshake ok, sign-in full match, verification ok"},
		"in Join":     {join: func(p *Player) { p.Refuse(wire.ReasonScope) }, want: "handshake ok, sign-in match match, verification ok"},
		"unavailable": {server: func(c *Config) { c.Verifier = noKeys{} }, want: "handshake ok, sign-in unavailable unavailable, verification unavailable unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				var x exchanges
				s := w.listen(func(c *Config) {
					c.OnExchange = x.add
					if test.server != nil {
						test.server(c)
					}
				})
				w.serving.Go(func() { w.served = s.Serve(Handler{Join: test.join}) })
				if _, err := w.tryFor(800*time.Millisecond, 1, func(c *ClientConfig) {
					if test.client != nil {
						test.client(c)
					}
				}); err == nil {
					t.Fatal("not refused")
				}
				synctest.Wait()
				all := x.all()
				if len(all) == 0 || words(all[0]) != test.want {
					t.Fatalf("%+v, want %q", all, test.want)
				}
				if got := w.audit.lines(all[0].Trace); !slices.Contains(got, "reject") {
					t.Errorf("lines under the trace: %v", got)
				}
			})
		})
	}
}

// fixed is a ClientConfig.Token.
func fixed(raw string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(raw), nil }
}

// noKeys is a Verifier whose issuer cannot be reached.
type noKeys struct{}

func (noKeys) Verify(context.Context, time.Time, []byte) (*token.Claims, error) {
	return nil, &token.Error{Check: token.CheckKeySet}
}

// A client whose server was replaced resumes: a handshake, and the time until its first datagram on
// the new connection. The session's lines name that exchange from then on.
func TestExchangeOfResume(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var x exchanges
		fleet, listens := w.fleet(t), func(c *Config) { c.OnExchange = x.add }
		first := w.run(fleet, listens)
		s := w.stay(1)
		time.Sleep(2 * time.Second)
		w.end(first, first.Close)
		second := w.run(fleet, listens)
		time.Sleep(5 * time.Second)
		w.match.player(1).Kick(wire.ReasonKicked)
		time.Sleep(2 * time.Second)
		all := x.all()
		if len(all) != 2 || words(all[1]) != "handshake ok, resume ok" || all[1].Main().Kind != StepResume {
			t.Fatalf("%+v", all)
		}
		if got := fmt.Sprint(w.audit.lines(all[0].Trace), w.audit.lines(all[1].Trace)); got != "[accept] [resume close]" {
			t.Errorf("lines: %v", got)
		}
		w.quit(second, s)
	})
}

// A handshake that fails is an exchange of its own, if the address has returned the cookie.
func TestExchangeOfFailedHandshake(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var x exchanges
		w.serve(func(c *Config) { c.OnExchange = x.add })
		_, err := w.tryFor(time.Second, 1, func(c *ClientConfig) { c.ServerName = "another.example" })
		if !errors.Is(err, ErrHandshake) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		all := x.all()
		if len(all) == 0 || words(all[0]) != "handshake handshake alert" || all[0].Main().Kind != StepHandshake {
			t.Fatalf("%+v", all)
		}
		if got := w.audit.lines(all[0].Trace); fmt.Sprint(got) != "[reject]" {
			t.Errorf("lines: %v", got)
		}
	})
}

// A client that is gone before the answer is told apart from one that was refused.
func TestExchangeCutShort(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var x exchanges
		w.serve(func(c *Config) { c.OnExchange, c.Verifier = x.add, slowVerifier{w.issuer.Verifier(w)} })
		_, err := w.tryFor(time.Second, 1)
		if err == nil {
			t.Fatal("joined")
		}
		time.Sleep(20 * time.Second)
		all := x.all()
		if len(all) == 0 || all[0].Main().Kind != StepSignIn || all[0].Main().Outcome == OutcomeOK {
			t.Fatalf("%+v", all)
		}
	})
}

// slowVerifier takes three seconds.
type slowVerifier struct{ Verifier }

func (v slowVerifier) Verify(ctx context.Context, now time.Time, raw []byte) (*token.Claims, error) {
	time.Sleep(3 * time.Second)
	return v.Verifier.Verify(ctx, now, raw)
}

// A trace id is drawn where somebody reads it, and a connection without a reader costs nothing for
// it.
func TestTraceIDs(t *testing.T) {
	t.Parallel()
	for _, audited := range []bool{false, true} {
		virtual(t, func(w *world) {
			w.serve(func(c *Config) {
				if !audited {
					c.Audit = nil
				}
			})
			w.dial(1)
			if got := w.match.player(0).conn.aside != nil; got != audited {
				t.Errorf("audited %v: kept %v", audited, got)
			}
			for _, e := range w.audit.all() {
				if len(e.Trace) != 32 || e.Decision != audit.Accept {
					t.Errorf("%+v", e)
				}
			}
		})
	}
	if a, b := newTraceID(), newTraceID(); a == b || a == (TraceID{}) || (TraceID{}).String() != "" || len(a.String()) != 32 {
		t.Errorf("%v %v", a, b)
	}
}

// A session from a snapshot gets an id in the new process: a snapshot has none.
func TestTraceIDAfterRestart(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var x exchanges
		fleet, listens := w.fleet(t), func(c *Config) { c.OnExchange = x.add }
		first := w.run(fleet, listens)
		s := w.stay(1)
		time.Sleep(2 * time.Second)
		w.end(first, first.shutdown)
		second := w.run(fleet, listens)
		time.Sleep(3 * time.Second)
		events := w.audit.all()
		last := events[len(events)-1]
		if n := len(x.all()); n != 1 || last.Decision != audit.Resume || len(last.Trace) != 32 || last.Trace == events[0].Trace {
			t.Errorf("%d exchanges, %+v", n, last)
		}
		w.quit(second, s)
	})
}
