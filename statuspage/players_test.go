package statuspage

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// match is a server with a player in it.
type match struct {
	server *transport.Server
	recent *audit.Recent
}

// play starts a server that plays until the test ends, and has alice join.
func play(t *testing.T) *match {
	t.Helper()
	m := &match{recent: audit.NewRecent(10)}
	authority, issuer := testkit.NewAuthority(t), testkit.NewIssuer(t)
	server, err := transport.Listen("127.0.0.1:0", transport.Config{
		Certificate: *authority.Server(t), Verifier: issuer.Verifier(t), Audit: m.recent,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.server = server
	done := make(chan error, 1)
	go func() { done <- server.Serve(transport.Handler{}) }()
	client, err := transport.Dial(t.Context(), server.Addr().String(), transport.ClientConfig{
		RootCAs: authority.Pool(),
		Token: func(context.Context) ([]byte, error) {
			return []byte(issuer.Token(t, token.Grant{Subject: "alice"})), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
		<-done
	})
	return m
}

// "Players are shown by the pseudonyms that the audit gives them, and by name with Config.Names."
func TestPlayers(t *testing.T) {
	t.Parallel()
	m := play(t)
	lines, _ := m.recent.Since(0)
	var accepted struct {
		User    struct{ UID string }
		Session struct{ UID string }
	}
	if err := json.Unmarshal(lines[0], &accepted); err != nil || accepted.User.UID == "" {
		t.Fatalf("%v: %s", err, lines)
	}
	for _, names := range []bool{false, true} {
		h := readOnly(t, func(c *Config) { c.Server, c.Events, c.Names = m.server, m.recent, names })
		var s state
		w := ask(h, "GET", "/state", "", nil)
		if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || len(s.Players) != 1 || s.Stalled {
			t.Fatalf("%v: %s", err, w.Body)
		}
		for _, field := range []string{"lost_out", "jitter_ms", "rate", "queued"} {
			if !strings.Contains(w.Body.String(), `"`+field+`":0`) {
				t.Errorf("no %s of a player without lanes: %s", field, w.Body)
			}
		}
		p := s.Players[0]
		if p.Pseudonym != accepted.User.UID || (p.Name == "alice") != names || (p.Issuer != "") != names || p.Life <= 0 || p.Fingerprint != "ok" {
			t.Errorf("names %v: %+v, want the pseudonym %s", names, p, accepted.User.UID)
		}
	}
}

// What an operator does by the page, the server does.
func TestOperate(t *testing.T) {
	t.Parallel()
	m := play(t)
	h := readOnly(t, func(c *Config) { c.Server, c.Authorize, c.Revoker = m.server, Local, m.server })
	var s state
	if err := json.Unmarshal(ask(h, "GET", "/state", "", nil).Body.Bytes(), &s); err != nil || len(s.Players) != 1 {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"session": s.Players[0].Session, "for": "1h"})
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(h, "POST", "/ban", string(body), operator); w.Body.String() != `{"ended":1}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for end := time.Now().Add(5 * time.Second); m.server.Stats().Sessions > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still plays")
		}
	}
}

// The bans in force are shown, those that end first before others, by pseudonym and with Config.Names by
// name; a ban that another process has left has none.
func TestBansAreShown(t *testing.T) {
	t.Parallel()
	recent := audit.NewRecent(1)
	until := time.Now().Add(time.Hour)
	s := &server{bans: []session.Ban{
		{Issuer: "own", Subject: "ann", Reason: session.ReasonGame + 1, Note: "<b>"},
		{Issuer: "own", Subject: "ben", Reason: session.ReasonRevoked, Until: until},
		{Reason: session.ReasonKicked, Until: until.Add(time.Hour)},
	}}
	for _, names := range []bool{false, true} {
		h := readOnly(t, func(c *Config) { c.Server, c.Events, c.Names = s, recent, names })
		var got state
		if err := json.Unmarshal(ask(h, "GET", "/state", "", nil).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		name := map[bool]func(string) string{false: func(string) string { return "" }, true: func(s string) string { return s }}[names]
		want := []banned{
			{Pseudonym: recent.Pseudonym("ben"), Name: name("ben"), Issuer: name("own"), Until: until.UnixMilli(), Reason: 13, Says: "revoked"},
			{Until: until.Add(time.Hour).UnixMilli(), Reason: 3, Says: "kicked"},
			{Pseudonym: recent.Pseudonym("ann"), Name: name("ann"), Issuer: name("own"), Reason: 129, Says: "game's reason 129", Note: "<b>"},
		}
		if !slices.Equal(got.Bans, want) {
			t.Errorf("%+v, want %+v", got.Bans, want)
		}
	}
	s.bans = make([]session.Ban, maxBans+1)
	var got state
	if err := json.Unmarshal(ask(readOnly(t, func(c *Config) { c.Server = s }), "GET", "/state", "", nil).Body.Bytes(), &got); err != nil || len(got.Bans) != maxBans {
		t.Errorf("%d bans, %v", len(got.Bans), err)
	}
}
