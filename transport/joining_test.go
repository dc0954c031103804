package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// serveWith is serve with another Join. The match sees the player afterwards, unless join refuses.
func (w *world) serveWith(join func(p *Player) (refused bool), configure ...func(*Config)) *Server {
	w.Helper()
	s := w.listen(configure...)
	h := w.match.handler()
	h.Join = func(p *Player) {
		if !join(p) {
			w.match.join(p)
		}
	}
	w.serving.Go(func() { w.served = s.Serve(h) })
	return s
}

// "The match sees it once, when the session begins" PROTOCOL.md 3.1. Any bytes arrive as they are; in
// Join alone, and on no other server.
func TestMetadata(t *testing.T) {
	t.Parallel()
	hostile := make([]byte, wire.MaxMetadata)
	for i := range hostile {
		hostile[i] = byte(255 - i)
	}
	for _, metadata := range [][]byte{nil, []byte("x"), []byte("skin=7\x00\n\xff"), hostile} {
		t.Run(fmt.Sprint(len(metadata)), func(t *testing.T) {
			virtual(t, func(w *world) {
				fleet := w.fleet(t)
				var got [][]byte
				var asked []byte
				join := func(p *Player) bool { got = append(got, p.Metadata()); return false }
				first := w.serveWith(join, fleet, func(c *Config) {
					c.Snapshot = ""
					c.Session.Authorize = func(a *session.Admission) error { asked = slices.Clone(a.Metadata); return nil }
				})
				c := w.dial(1, func(c *ClientConfig) { c.Session.Metadata = metadata })
				w.echo(c, "hello")
				if len(got) != 1 || string(got[0]) != string(metadata) || string(asked) != string(metadata) {
					t.Errorf("Join gets %x, Authorize %x, want %x", got, asked, metadata)
				}
				for _, e := range w.audit.all() { // it has nothing that the player chose freely
					if e.Detail != "" {
						t.Errorf("audited %q", e.Detail)
					}
				}
				if b := w.match.player(0).Metadata(); b != nil {
					t.Errorf("after Join: %x", b)
				}
				if err := first.Close(); err != nil {
					t.Fatal(err)
				}
				w.serving.Wait()
				w.serveWith(join, fleet)
				w.resumesAfter(c)
				if len(got) != 2 || got[1] != nil {
					t.Errorf("Join of the other server gets %x", got[1:])
				}
			})
		})
	}
}

// resumesAfter sends until an answer comes.
func (w *world) resumesAfter(c *Client) {
	w.Helper()
	for range 100 {
		_ = c.Send([]byte("again"))
		ctx, cancel := context.WithTimeout(w.Context(), 100*time.Millisecond)
		_, err := c.Receive(ctx, make([]byte, wire.MaxBody))
		cancel()
		if err == nil {
			return
		}
	}
	w.Fatal("the session does not go on")
}

// "A server MUST NOT show metadata to the match before it has accepted the identity token."
// PROTOCOL.md 3.1
func TestMetadataOfStranger(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		asked := 0
		w.serveWith(func(*Player) bool { asked++; return false }, func(c *Config) {
			c.Session.Authorize = func(*session.Admission) error { asked++; return nil }
		})
		_, err := w.try(1, func(c *ClientConfig) {
			c.Session.Metadata = []byte("let me in")
			c.Token = func(context.Context) ([]byte, error) { return []byte(testkit.NewIssuer(t).Token(t, grantFor(1))), nil }
		})
		if w.closed(err, session.ReasonToken); asked != 0 {
			t.Errorf("the match was asked %d times", asked)
		}
	})
}

// "Metadata must have at most 256 bytes": one more is refused before anything is sent.
func TestMetadataTooLong(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		_, err := w.try(1, func(c *ClientConfig) { c.Session.Metadata = make([]byte, wire.MaxMetadata+1) })
		if !errors.Is(err, ErrConfig) || !errors.Is(err, session.ErrConfig) {
			t.Errorf("Dial: %v", err)
		}
	})
}

// "the session ends with its tickets before the client has received anything of the game, the
// client's Dial returns a CloseError with reason and detail, and Leave is not called."
func TestRefuse(t *testing.T) {
	t.Parallel()
	for reason, want := range map[session.Reason]session.Reason{
		session.ReasonGame + 2: session.ReasonGame + 2, session.ReasonKicked: session.ReasonKicked,
		session.ReasonFull: session.ReasonFull, session.ReasonShutdown: session.ReasonShutdown, 0: session.ReasonKicked,
	} {
		t.Run(reason.String(), func(t *testing.T) {
			virtual(t, func(w *world) {
				refuses, player := true, (*Player)(nil)
				s := w.serveWith(func(p *Player) bool {
					player = p
					_ = p.Send([]byte("state"))
					_ = p.shard.server.Broadcast([]byte("news"))
					if refuses {
						p.Refuse(reason, "no", "place")
					}
					return refuses
				})
				raw := []byte(w.issuer.Token(w, grantFor(1)))
				same := func(c *ClientConfig) {
					c.Token = func(context.Context) ([]byte, error) { return raw, nil }
				}
				_, err := w.try(1, same)
				w.closed(err, want)
				if e, _ := errors.AsType[*CloseError](err); e != nil && (e.Detail != "no place" || (e.RetryAfter > 0) != (reason == session.ReasonFull)) {
					t.Errorf("%+v", e)
				}
				synctest.Wait()
				w.quiet()
				if got := w.audits(audit.Accept); got != 1 || w.audits(audit.Reject) != 1 || w.audits(audit.Close) != 0 {
					t.Errorf("audited %+v", w.audit.all())
				}
				if st := s.Stats(); st.Sessions != 0 {
					t.Errorf("%d sessions", st.Sessions)
				}
				if n := player.Stats().Sent; n != 0 || !errors.Is(player.Send(nil), ErrGone) {
					t.Errorf("%d datagrams were sent to the player", n)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := s.first().Holdings().Conns; n != 0 {
					t.Errorf("%d connections are left", n)
				}
				refuses = false
				c := w.dial(1, same) // the token counts as unused
				if got := []string{w.receive(c), w.receive(c)}; !slices.Equal(got, []string{"state", "news"}) {
					t.Errorf("received %q", got)
				}
			})
		})
	}
}

// A session that lived elsewhere is refused by CLOSE, and its ticket is worth nothing then. Nothing of
// the player's reaches the match, although it is a payload that the session goes on with.
func TestRefuseResumed(t *testing.T) {
	t.Parallel()
	for _, snapshot := range []bool{false, true} {
		t.Run(fmt.Sprint(snapshot), func(t *testing.T) {
			virtual(t, func(w *world) {
				fleet := w.fleet(t)
				s := w.serve(fleet, func(c *Config) {
					if !snapshot {
						c.Snapshot = ""
					}
				})
				c := w.dial(1)
				w.echo(c, "hello")
				end := s.Close
				if snapshot {
					end = func() error { return s.Shutdown(context.Background()) }
				}
				if err := end(); err != nil {
					t.Fatal(err)
				}
				w.serving.Wait()
				left, received := len(w.match.left()), w.match.payloads()
				const ping = 63
				w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool { return from != playerAddr(1) || len(b) != ping })
				w.serveWith(func(p *Player) bool { p.Refuse(session.ReasonGame, "banned here"); return true }, fleet)
				stop := make(chan struct{})
				w.serving.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(50 * time.Millisecond):
							_ = c.Send([]byte("input"))
						}
					}
				})
				w.closed(w.ending(c), session.ReasonGame)
				close(stop)
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := w.server.first().Holdings().Conns; n != 0 {
					t.Errorf("%d connections are left", n)
				}
				if got := len(w.match.left()); got != left || w.match.payloads() != received {
					t.Errorf("%d have left, received %v", got-left, w.match.got)
				}
			})
		})
	}
}

// A player who leaves with the first datagram of a resumed session may be refused all the same.
func TestRefuseLeaving(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		fleet := w.fleet(t)
		s := w.serve(fleet, func(c *Config) { c.Snapshot = "" })
		c := w.dial(1)
		w.echo(c, "hello")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		w.serving.Wait()
		refused := 0
		w.serveWith(func(p *Player) bool { refused++; p.Refuse(session.ReasonGame); return true }, fleet)
		const ping, alert = 63, 39
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool { // CLOSE comes first, and no close_notify
			return from != playerAddr(1) || len(b) != ping && len(b) != alert
		})
		for c.Stats().Resumed == 0 {
			time.Sleep(50 * time.Millisecond)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.server.first().Holdings().Conns; n != 0 || refused != 1 {
			t.Errorf("%d connections are left, %d players were refused", n, refused)
		}
	})
}

// A player whom Join bans gets nothing of the game either: not what was sent before the ban, nor what
// is broadcast after it.
func TestBanInJoin(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serveWith(func(p *Player) bool {
			_ = p.Send([]byte("state"))
			if n, err := p.shard.server.Ban(session.Ban{Issuer: p.Session().Issuer(), Subject: p.Session().Subject()}); n != 1 || err != nil {
				t.Errorf("%d sessions, %v", n, err)
			}
			if err := p.Send([]byte("more")); !errors.Is(err, ErrGone) {
				t.Errorf("Send: %v", err)
			}
			_ = p.shard.server.Broadcast([]byte("news"))
			return false
		})
		c := w.dial(1)
		b := make([]byte, wire.MaxBody)
		for {
			n, err := c.Receive(w.Context(), b)
			if err != nil {
				w.closed(err, session.ReasonRevoked)
				return
			}
			t.Errorf("received %q", b[:n])
		}
	})
}

// A broadcast of another goroutine finds a player on the list only when Join waits: else it would be
// sent before WELCOME, and to a player who is refused then.
func TestListedWhenJoining(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var s *Server
		looked := make(chan struct{})
		s = w.serveWith(func(p *Player) bool { p.Refuse(session.ReasonFull); return true }, func(c *Config) {
			c.Audit = recorder(func(e audit.Event) {
				if e.Decision != audit.Accept {
					return
				}
				sh := s.first()
				sh.Out.Mu.Lock() // which a turn needs before it calls Join
				go func() {
					defer close(looked)
					defer sh.Out.Mu.Unlock()
					for range 1000 {
						sh.players.mu.RLock()
						for _, p := range sh.players.list {
							if p.stay.Load() == present {
								t.Error("a player is listed as present before Join is called")
								sh.players.mu.RUnlock()
								return
							}
						}
						sh.players.mu.RUnlock()
						runtime.Gosched()
					}
				}()
			})
		})
		_, err := w.try(1)
		w.closed(err, session.ReasonFull)
		<-looked
	})
}

// recorder is an audit.Sink.
type recorder func(audit.Event)

func (r recorder) Record(e audit.Event) { r(e) }

// After Join, Refuse is Kick.
func TestRefuseLate(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1)
		w.echo(c, "hello")
		w.match.player(0).Refuse(session.ReasonGame)
		w.closed(w.ending(c), session.ReasonGame)
		synctest.Wait()
		if left := w.match.left(); len(left) != 1 {
			t.Errorf("%v have left", left)
		}
	})
}

// A game's own claim goes from the token to the match, over a resumption on another server and a
// restart: "rank" has room in a ticket, and "motto" has not.
func TestIdentityReachesMatch(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		profile := w.issuer.Profile()
		profile.Keep = []string{"motto", "rank", "guild"}
		verifier, err := token.NewVerifier(profile)
		if err != nil {
			t.Fatal(err)
		}
		fleet := w.fleet(t)
		var got []string
		know := func(p *Player) bool {
			id := p.Session().Identity()
			got = append(got, fmt.Sprintf("%s %s %d %s",
				id.Claim("rank").Text("-", "?"), id.Claim("guild").Text("-", "?"), len(id.Claim("motto").Text("-", "?")), id.UserName().Text("-", "?"),
			))
			return false
		}
		configure := func(c *Config) { c.Verifier = verifier }
		s := w.serveWith(know, fleet, configure)
		grant := grantFor(1)
		grant.Custom = map[string]any{"rank": "gold", "motto": strings.Repeat("m", 200)}
		c := w.dial(1, func(c *ClientConfig) { c.Token = w.tokens(grant) })
		w.echo(c, "hello")
		if err := s.Shutdown(w.Context()); err != nil {
			t.Fatal(err)
		}
		w.serving.Wait()
		second := w.serveWith(know, fleet, configure) // goes on by the snapshot
		w.resumesAfter(c)
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
		w.serving.Wait()
		w.serveWith(know, fleet, configure) // by the ticket
		w.resumesAfter(c)
		if want := []string{"gold - 200 -", "gold - 1 -", "gold - 1 -"}; !slices.Equal(got, want) {
			t.Errorf("the match knows %q, want %q", got, want)
		}
	})
}
