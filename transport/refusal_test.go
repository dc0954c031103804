package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// journal is a writer for a slog.Handler.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// denial is something that keeps a player out.
type denial struct {
	name   string
	server func(w *world, c *Config)
	before func(w *world)                  // the server runs already
	client func(w *world, c *ClientConfig) // of the player who is refused

	reason wire.Reason // what the client is told
	told   string      // and in the detail of CLOSE
	drop   audit.Drop
	cause  string
	detail string // part of it
}

func shows(raw func(w *world) string) func(w *world, c *ClientConfig) {
	return func(w *world, c *ClientConfig) {
		c.Token = func(context.Context) ([]byte, error) { return []byte(raw(w)), nil }
	}
}

func grants(g token.Grant) func(w *world, c *ClientConfig) {
	return func(w *world, c *ClientConfig) { c.Token = w.tokens(g) }
}

// tuned has the server's profile of the issuer differ.
func tuned(tune func(p *token.Profile)) func(w *world, c *Config) {
	return func(w *world, c *Config) {
		p := w.issuer.Profile()
		tune(&p)
		v, err := token.NewVerifier(p)
		if err != nil {
			w.Fatal(err)
		}
		c.Verifier = v
	}
}

func judges(err error) func(*world, *Config) {
	return func(_ *world, c *Config) { c.Verifier = verdict{err} }
}

func authorizes(err error) func(*world, *Config) {
	return func(_ *world, c *Config) {
		c.Session.Authorize = func(*session.Admission) error { return err }
	}
}

func revokes(r session.Revocation) func(w *world) {
	return func(w *world) {
		if _, err := w.server.Revoke(r); err != nil {
			w.Fatal(err)
		}
	}
}

var (
	fresh   = token.Grant{Subject: "player 1", Scope: "match"}
	denials = []denial{
		{
			name: "garbage", client: shows(func(*world) string { return "garbage" }),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token form", detail: "is it an identity token at all?",
		},
		{
			name: "issuer", server: tuned(func(p *token.Profile) { p.Issuer = "https://other.test" }),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token issuer", detail: "no profile",
		},
		{
			name: "audience", server: tuned(func(p *token.Profile) { p.Audience = []string{"other"} }),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token audience", detail: "aud",
		},
		{
			name: "type", server: tuned(func(p *token.Profile) { p.Type = "other" }),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token type", detail: "typ",
		},
		{
			name: "algorithm", server: tuned(func(p *token.Profile) { p.Algorithm = token.RS256 }),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token algorithm", detail: "alg",
		},
		{
			name: "life", server: tuned(func(p *token.Profile) { p.MaxLife = time.Minute }),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token life", detail: "14m0s longer",
		},
		{
			name: "key", client: shows(func(w *world) string { return testkit.NewIssuer(w).Token(w, fresh) }),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token key unknown", detail: "kid",
		},
		{
			name: "signature", client: shows(func(w *world) string {
				raw := []byte(w.issuer.Token(w, fresh))
				was := raw[len(raw)-40]
				if raw[len(raw)-40] = 'A'; was == 'A' { // it stays base64url
					raw[len(raw)-40] = 'B'
				}
				return string(raw)
			}),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token signature", detail: "forged",
		},
		{
			name: "the client's clock is ahead", client: shows(func(w *world) string {
				raw, err := w.issuer.Mint(time.Now().Add(17*time.Second), fresh)
				if err != nil {
					w.Fatal(err)
				}
				return raw
			}),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token not yet valid", detail: "not valid for another 17s",
		},
		{
			name: "expired", client: shows(func(w *world) string {
				raw, err := w.issuer.Mint(time.Now().Add(-16*time.Minute), fresh)
				if err != nil {
					w.Fatal(err)
				}
				return raw
			}),
			reason: wire.ReasonExpired, drop: audit.DropExpired, cause: "expired", detail: "expired 1m0s ago",
		},
		{
			name: "group", server: judges(token.ErrGroup),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token group",
		},
		{
			name: "a verifier of the game's", server: judges(errors.New("secret: " + token.ErrSignature.Error())),
			reason: wire.ReasonToken, drop: audit.DropToken, cause: "token other",
		},
		{
			name: "keys", server: judges(token.ErrUnavailable),
			reason: wire.ReasonUnavailable, drop: audit.DropUnavailable, cause: "unavailable",
		},
		{
			name: "queue", server: judges(session.ErrBusy),
			reason: wire.ReasonBusy, drop: audit.DropBusy, cause: "busy",
		},
		{
			name: "waits for keys", server: judges(machine.ErrKeysWait),
			reason: wire.ReasonBusy, drop: audit.DropBusy, cause: "busy keys",
		},
		{
			name: "another match", server: func(_ *world, c *Config) { c.Session.Scope = "match-9" },
			reason: wire.ReasonScope, drop: audit.DropScope, cause: "scope hosted", detail: `the server hosts "match-9"`,
		},
		{
			name: "another match asked for", client: func(_ *world, c *ClientConfig) { c.Session.Scope = "attacker's text" },
			reason: wire.ReasonScope, drop: audit.DropScope, cause: "scope asked",
		},
		{
			name: "another match asked for, which is here", server: func(_ *world, c *Config) { c.Session.Scope = "match-9" },
			client: func(_ *world, c *ClientConfig) { c.Session.Scope = "match-9" },
			reason: wire.ReasonScope, drop: audit.DropScope, cause: "scope asked", detail: "the client asks for the match that the server hosts",
		},
		{
			name: "platform", client: grants(token.Grant{Subject: "player 1", Scope: "match", Platform: "ios"}),
			reason: wire.ReasonFingerprint, drop: audit.DropFingerprint, cause: "fingerprint platform",
		},
		{
			name: "build", client: grants(token.Grant{Subject: "player 1", Scope: "match", Build: "1.2"}),
			reason: wire.ReasonFingerprint, drop: audit.DropFingerprint, cause: "fingerprint build",
		},
		{
			name: "certificate", client: grants(token.Grant{Subject: "player 1", Scope: "match", Thumbprint: new([32]byte)}),
			reason: wire.ReasonFingerprint, drop: audit.DropFingerprint, cause: "fingerprint certificate",
		},
		{
			name: "used", client: func(w *world, c *ClientConfig) {
				raw, _ := c.Token(w.Context())
				again := func(context.Context) ([]byte, error) { return raw, nil }
				w.dial(2, func(c *ClientConfig) { c.Token = again })
				c.Token = again
			},
			reason: wire.ReasonUsed, drop: audit.DropUsed, cause: "used",
		},
		{
			name: "full", server: func(_ *world, c *Config) { c.Session.MaxSessions = 1 }, before: func(w *world) { w.dial(2) },
			reason: wire.ReasonFull, drop: audit.DropFull, cause: "full",
		},
		{
			name: "full for this player", before: func(w *world) {
				w.dial(2, func(c *ClientConfig) { grants(fresh)(w, c) })
				w.dial(3, func(c *ClientConfig) { grants(fresh)(w, c) })
			},
			reason: wire.ReasonFull, told: "too many sessions of this player", drop: audit.DropFull, cause: "full player",
		},
		{
			name: "binding", client: func(_ *world, c *ClientConfig) { c.Session.Unbound = true },
			reason: wire.ReasonBinding, drop: audit.DropBinding, cause: "binding",
		},
		{
			name: "ban", before: func(w *world) {
				if _, err := w.server.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: "player 1"}); err != nil {
					w.Fatal(err)
				}
			},
			reason: wire.ReasonRevoked, drop: audit.DropRevoked, cause: "revoked ban",
		},
		{
			name: "ban of one for another match", server: func(_ *world, c *Config) { c.Session.Scope = "match-9" }, before: func(w *world) {
				if _, err := w.server.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: "player 1"}); err != nil {
					w.Fatal(err)
				}
			},
			reason: wire.ReasonRevoked, drop: audit.DropRevoked, cause: "revoked ban",
		},
		{
			name: "subject", before: revokes(session.Revocation{Kind: session.RevokeSubject, Issuer: testkit.IssuerName, Value: "player 1"}),
			reason: wire.ReasonRevoked, drop: audit.DropRevoked, cause: "revoked subject",
		},
		{
			name: "key revoked", before: func(w *world) {
				claims, err := w.issuer.Verifier(w).Verify(w.Context(), time.Now(), []byte(w.issuer.Token(w, fresh)))
				if err != nil {
					w.Fatal(err)
				}
				revokes(session.Revocation{Kind: session.RevokeKey, Issuer: testkit.IssuerName, Value: claims.KeyID})(w)
			},
			reason: wire.ReasonRevoked, drop: audit.DropRevoked, cause: "revoked key",
		},
		{
			name: "build revoked", before: revokes(session.Revocation{Kind: session.RevokeBuild, Value: "1.0"}),
			client: func(_ *world, c *ClientConfig) { c.Session.Fingerprint.Build = "1.0" },
			reason: wire.ReasonRevoked, drop: audit.DropRevoked, cause: "revoked build",
		},
		{
			name: "the match fails", server: authorizes(errors.New("no database")),
			reason: wire.ReasonScope, drop: audit.DropMatch, cause: "match", detail: "no database",
		},
		{
			name: "the match says why", server: authorizes(session.Refusal(200)),
			reason: 200, drop: audit.DropMatch, cause: "match", detail: "game's reason 200",
		},
		{
			name: "the match is full", server: authorizes(session.Refusal(wire.ReasonFull)),
			reason: wire.ReasonFull, drop: audit.DropFull, cause: "match", detail: "server full",
		},
	}
)

// A denial has one line in the audit and in the log, one count in Stats, and one CLOSE for the client; and what they say is in
// the table. No line holds a token, a whole address, or a text that the client has chosen.
func TestDenials(t *testing.T) {
	t.Parallel()
	for _, f := range denials {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				var log, lines journal
				file, err := audit.NewJSON(&lines, audit.JSONConfig{})
				if err != nil {
					t.Fatal(err)
				}
				w.serve(func(c *Config) {
					c.Logger = slog.New(slog.NewTextHandler(&log, nil))
					c.Audit = audit.Tee(c.Audit, file)
					if f.server != nil {
						f.server(w, c)
					}
				})
				if f.before != nil {
					f.before(w)
				}
				secrets := []string{playerAddr(1).Addr().String(), "evil", "attacker"}
				_, err = w.try(1, func(c *ClientConfig) {
					c.Session.Fingerprint = session.Fingerprint{Platform: "evil platform", Build: "evil build"}
					if f.client != nil {
						f.client(w, c)
					}
					shown := c.Token
					c.Token = func(ctx context.Context) ([]byte, error) {
						raw, err := shown(ctx)
						secrets = append(secrets, strings.Split(string(raw), ".")...)
						return raw, err
					}
				})
				if e, _ := errors.AsType[*CloseError](err); e == nil || e.Reason != f.reason || e.Detail != f.told {
					t.Errorf("Dial: %v, want %v and %q", err, f.reason, f.told)
				}
				synctest.Wait()
				w.refused(f.drop, f.cause, f.detail)
				w.logged(&log, f.drop, f.cause)
				if file.Close() != nil || !strings.Contains(lines.String(), `"cause":"`+f.cause+`"`) {
					t.Errorf("no line in %s", lines.String())
				}
				for _, secret := range secrets {
					if len(secrets) < 4 || strings.Contains(log.String()+lines.String(), secret) {
						t.Errorf("%q is in\n%s\nor\n%s", secret, log.String(), lines.String())
					}
				}
			})
		})
	}
}

// refused wants one refusal, in the audit and in Stats.
func (w *world) refused(drop audit.Drop, cause, detail string) {
	w.Helper()
	var got []audit.Event
	for _, e := range w.audit.all() {
		if e.Decision == audit.Reject {
			got = append(got, e)
		}
	}
	if len(got) != 1 || got[0].Reason != drop || got[0].Cause != cause || !strings.Contains(got[0].Detail, detail) {
		w.Errorf("audited %+v, want %v, %q with %q", got, drop, cause, detail)
	}
	if detail == "" && len(got) == 1 && got[0].Detail != "" {
		if _, isToken := strings.CutPrefix(cause, "token "); !isToken {
			w.Errorf("detail %q", got[0].Detail)
		}
	}
	if s := w.server.Stats(); s.Drops[drop.String()] == 0 || fmt.Sprint(s.Refusals) != fmt.Sprint(map[string]uint64{cause: 1}) {
		w.Errorf("counted %v as drops and %v as refusals, want one %q", s.Drops, s.Refusals, cause)
	}
}

// logged wants one line about a refusal.
func (w *world) logged(log *journal, drop audit.Drop, cause string) {
	w.Helper()
	want := fmt.Sprintf("level=WARN msg=reject reason=%v cause=%s ", drop, cause)
	if strings.Contains(cause, " ") {
		want = fmt.Sprintf("level=WARN msg=reject reason=%v cause=%q ", drop, cause)
	}
	if text := log.String(); strings.Count(text, "msg=reject") != 1 || !strings.Contains(text, want) {
		w.Errorf("logged %s, want %s", text, want)
	}
}

// What a client of another protocol, or of none, leaves behind.
func TestDenialsOfHello(t *testing.T) {
	t.Parallel()
	good := wire.Hello{Binding: wire.BindingExporter, NextSend: 1, NextReceive: 1, Token: []byte("token")}
	other := helloOf(good.AppendTo(nil))
	other[0] += 0x10
	twice, none, sequence, proof := good, good, good, good
	twice.Ticket = []byte("ticket")
	none.Token = nil
	sequence.NextSend = 2
	proof.Proof = make([]byte, wire.ProofLen)
	control, long, data, resuming := good, good, good, good
	control.Platform = []byte("a\nb")
	long.Build = bytes.Repeat([]byte("x"), 129)
	data.Metadata = make([]byte, wire.MaxMetadata+1)
	lanes, unasked, held := good, good, good
	lanes.Features, lanes.Lanes = wire.FeatureLanes, wire.HelloLanes{Generation: 1} // a delay of 0
	unasked.Lanes = wire.HelloLanes{Delay: 16}
	held.Features, held.Lanes = wire.FeatureLanes, wire.HelloLanes{Generation: 1, Delay: 16}
	resuming.Token, resuming.Ticket, resuming.Metadata, resuming.Proof = nil, []byte("ticket"), []byte("x"), make([]byte, wire.ProofLen)
	for _, f := range []struct {
		name   string
		send   []byte
		reason wire.Reason
		drop   audit.Drop
		cause  string
		detail string
	}{
		{"short", helloOf([]byte("short")), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "it ends before its fields"},
		{"field", helloOf(append(good.AppendTo(nil), 1, 0, 0)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "a field is out of order, empty or longer than the rest"},
		{"both", helloOf(twice.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "the proof is missing, or stands without a ticket"},
		{"neither", helloOf(none.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "it has neither a token nor a ticket"},
		{"sequence", helloOf(sequence.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "a sequence is 0, or not 1 without a ticket"},
		{"proof", helloOf(proof.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "the proof is missing, or stands without a ticket"},
		{"control", helloOf(control.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "the field platform is too long or no text"},
		{"long", helloOf(long.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "the field build is too long or no text"},
		{"metadata", helloOf(data.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "the field metadata is too long or no text"},
		{"lanes", helloOf(append(lanes.AppendTo(nil), 8, 0, 5, 0, 0, 0, 1, 0)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "the field lanes is not of its form"},
		{"lanes, missing", helloOf(lanes.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "the field lanes stands without its feature bit, or is missing"},
		{"lanes, not offered", helloOf(unasked.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "the field lanes stands without its feature bit, or is missing"},
		{"lanes, token", helloOf(held.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "a generation of lanes stands without a ticket"},
		{"metadata, ticket", helloOf(resuming.AppendTo(nil)), wire.ReasonMalformed, audit.DropMalformed, "malformed hello", "metadata stands beside a ticket"},
		{"version", other, wire.ReasonVersion, audit.DropVersion, "version", ""},
		{"nothing", []byte("GET / HTTP/1.1"), wire.ReasonIdle, audit.DropIdle, "idle hello", ""},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(w *world) {
				var log journal
				w.serve(func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				if f.name == "version" { // and then what is served, so that the connection does not end for want of HELLO
					answers := w.raw(1, f.send, f.send, helloOf(good.AppendTo(nil)))
					w.closedBy(answers, f.reason)
					if s := w.server.Stats().Refusals; fmt.Sprint(s) != "map[token form:1 version:1]" {
						t.Error(s)
					}
					return
				}
				w.closedBy(w.raw(1, f.send), f.reason)
				w.refused(f.drop, f.cause, f.detail)
				w.logged(&log, f.drop, f.cause)
			})
		})
	}
}

// A token with white space around it, from a client that does not look.
func TestDenialOfNewline(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var log journal
		w.serve(func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		m := wire.Hello{Binding: wire.BindingExporter, NextSend: 1, NextReceive: 1, Token: []byte(w.issuer.Token(w, fresh) + "\n")}
		w.closedBy(w.raw(1, helloOf(m.AppendTo(nil))), wire.ReasonToken)
		w.refused(audit.DropToken, "token white space", "trim")
		w.logged(&log, audit.DropToken, "token white space")
	})
}

// A ticket that is good for nothing, and each way in which it is not.
func TestDenialsOfTicket(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ticket []byte
		cause  string
	}{
		"short":     {[]byte("ticket"), "ticket"},
		"other key": {make([]byte, 100), "ticket key"},
	} {
		virtual(t, func(w *world) {
			w.serve()
			m := wire.Hello{Binding: wire.BindingExporter, NextSend: 1, NextReceive: 1, Ticket: test.ticket, Proof: make([]byte, wire.ProofLen)}
			w.closedBy(w.raw(1, helloOf(m.AppendTo(nil))), wire.ReasonTicket)
			if w.refused(audit.DropTicket, test.cause, ""); t.Failed() {
				t.Error(name)
			}
		})
	}
}

// BEARER that is not allowed is dropped, counted, and on record once a connection.
func TestDenialOfBearer(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		var log journal
		w.serve(func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		c := w.dial(1, func(c *ClientConfig) { c.Session.Bearer = true })
		for range 5 {
			if err := c.Send([]byte("input")); err != nil {
				t.Fatal(err)
			}
		}
		w.dropped("state", 5)
		w.refused(audit.DropState, "state bearer", "")
		w.logged(&log, audit.DropState, "state bearer")
		w.quiet()
	})
}

// How a session ended is in the audit: by whom, why, and what the match said.
func TestEndsAreTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(w *world, c *Client)
		want string // decision, cause, detail
	}{
		"goodbye": {func(_ *world, c *Client) { c.Close() }, "close||player left"},
		"kick":    {func(w *world, _ *Client) { w.match.player(0).Kick(0, "too", "slow") }, "close|match|kicked: too slow"},
		"kick as a goodbye": {
			func(w *world, _ *Client) { w.match.player(0).Kick(wire.ReasonLeft, "the match is over") },
			"close|match|player left: the match is over",
		},
		"the game's reason": {func(w *world, _ *Client) { w.match.player(0).Kick(200) }, "close|match|game's reason 200"},
		"shutdown":          {func(w *world, _ *Client) { _ = w.server.Shutdown(w.Context()) }, "close||server shutting down"},
		"silence":           {func(_ *world, c *Client) { c.socket.conn.Load().Close() }, "close||idle"},
		"revoked":           {func(w *world, _ *Client) { w.match.player(0).Session().Revoke() }, "revoke|revoked|revoked"},
		"banned": {func(w *world, _ *Client) {
			_, _ = w.server.Ban(session.Ban{Issuer: testkit.IssuerName, Subject: "player 1", Reason: 200})
		}, "revoke|revoked ban|game's reason 200"},
		"sign-in": {func(w *world, _ *Client) {
			revokes(session.Revocation{Kind: session.RevokeToken, Issuer: testkit.IssuerName, Value: w.match.player(0).Session().TokenID()})(w)
		}, "revoke|revoked token|revoked"},
		"tags": {func(w *world, c *Client) { w.forgeTags(c, 8) }, "revoke|tag|revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				var log journal
				w.serve(func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				c := w.dial(1)
				test.end(w, c)
				time.Sleep(time.Minute)
				synctest.Wait()
				events, lines := w.audit.all(), 2
				if name == "banned" || name == "sign-in" { // which are lines of their own
					lines++
				}
				e := events[len(events)-1]
				if got := fmt.Sprint(e.Decision, "|", e.Cause, "|", e.Detail); got != test.want || len(events) != lines {
					t.Errorf("audited %s, want %s; %d events", got, test.want, len(events))
				}
				if text := log.String(); strings.Count(text, "\n") != lines || !strings.Contains(text, "msg=accept session=") {
					t.Errorf("logged %s", text)
				}
			})
		})
	}
}

// A player who is banned or revoked gets nothing any more from that moment on, however silent: "It returns ErrGone when the
// player has left, or has been banned, revoked or put out by Authorize, although Leave is called later".
func TestNothingIsSentAfterBan(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(w *world, s session.Session){
		"ban": func(w *world, s session.Session) {
			_, _ = w.server.Ban(session.Ban{Issuer: s.Issuer(), Subject: s.Subject()})
		},
		"session": func(_ *world, s session.Session) { s.Revoke() },
		"subject": func(w *world, s session.Session) { w.server.RevokeSubject(s.Issuer(), s.Subject()) },
	} {
		for _, resumed := range []bool{false, true} {
			virtual(t, func(w *world) {
				w.serve()
				c := w.dial(1, quietClient)
				other := w.dial(2)
				if resumed {
					w.disconnect(c)
					w.echo(c, "back")
				}
				p := w.match.player(0)
				put(w, p.Session())
				sent := p.Stats().Sent
				err := p.Send([]byte("secret"))
				_ = w.server.Broadcast([]byte("snapshot"))
				if got := p.Stats().Sent; err != ErrGone || got != sent {
					t.Errorf("%s: %v, %d more datagrams", name, err, got-sent)
				}
				if got := w.receive(other); got != "snapshot" {
					t.Errorf("%s: another player got %q", name, got)
				}
			})
		}
	}
}

// closedBy wants a CLOSE for a reason as the first answer.
func (w *world) closedBy(answers []wire.Envelope, reason wire.Reason) {
	w.Helper()
	if len(answers) == 0 || answers[0].Kind != wire.KindClose {
		w.Fatalf("answered %+v", answers)
	}
	if m, err := wire.ParseCloseBody(answers[0].Body); err != nil || m.Reason != reason {
		w.Errorf("CLOSE %+v, %v; want %v", m, err, reason)
	}
}
