package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
	"github.com/sallyport/sallyport/fleet/internal/admintest"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/transport"
)

// operator is a fleet and what an operator's command line says of it.
type operator struct {
	*admintest.Fleet
	matches []*admintest.Match
	flags   []string
}

func newOperator(t *testing.T, servers int, change ...func(*transport.Config, *admin.Config)) *operator {
	t.Helper()
	o := &operator{Fleet: admintest.New(t)}
	var addresses []string
	for range servers {
		m := o.Match(t, change...)
		o.matches, addresses = append(o.matches, m), append(addresses, m.Address)
	}
	files := o.Services.Files(t, identity.Operator.Path("zoe"))
	o.flags = []string{"-server", strings.Join(addresses, ","), "-cert", files.Certificate, "-key", files.Key, "-bundle", files.Bundle}
	return o
}

// run runs a subcommand on the fleet, or one of two words.
func (o *operator) run(t *testing.T, subcommand string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return sallyport(t, slices.Concat(strings.Fields(subcommand), o.flags, args)...)
}

// answersOf are the lines of -json.
func answersOf(t *testing.T, stdout string) (all []map[string]any) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(stdout)); ; {
		var l map[string]any
		if err := d.Decode(&l); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatalf("%v: %q", err, stdout)
		}
		all = append(all, l)
	}
}

// One operator and three servers: each subcommand asks all, and does what the API does.
func TestOperate(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 3)
	for i, m := range o.matches {
		m.Join(t, fmt.Sprintf("player-%d", i))
		m.Join(t, "alice")
	}
	status, out, err := o.run(t, "sessions")
	if status != exitOK || err != "" || strings.Count(out, "alice") != 3 || strings.Count(out, "\n") != 7 {
		t.Fatalf("%d\n%s%s", status, out, err)
	}
	status, out, err = o.run(t, "sessions", "-subject", "player-1", "-json")
	name := regexp.MustCompile(`"session":"([0-9a-f]{32})"`).FindStringSubmatch(out)
	if all := answersOf(t, out); status != exitOK || len(all) != 3 || name == nil || strings.Count(out, "player-1") != 1 {
		t.Fatalf("%d %s %s", status, out, err)
	}
	status, out, err = o.run(t, "sessions", "-session", name[1])
	if status != exitOK || strings.Count(out, "\n") != 2 || !strings.Contains(out, name[1]) || err != "" {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	if status, out, err = o.run(t, "sessions", "-limit", "1"); status != exitOK || strings.Count(out, "…") != 3 {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	status, out, err = o.run(t, "stats")
	if status != exitOK || strings.Count(out, "serving") != 3 || err != "" {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	ended := func(what string, want int, args ...string) {
		t.Helper()
		status, out, err := o.run(t, what, append(args, "-json")...)
		got := 0
		for _, l := range answersOf(t, out) {
			result, _ := l["result"].(map[string]any)
			n, _ := result["ended"].(float64)
			got += int(n)
		}
		if status != exitOK || err != "" || got != want {
			t.Errorf("%s %q: %d, ended %d, want %d\n%s%s", what, args, status, got, want, out, err)
		}
	}
	ended("kick", 1, "-session", name[1], "-reason", "130", "-detail", "away too long")
	ended("kick", 0, "-session", name[1])
	ended("ban", 3, "-subject", "alice", "-issuer", testkit.IssuerName, "-for", "1h", "-note", "spam")
	ended("ban", 0, "-subject", "alice", "-issuer", testkit.IssuerName, "-until", time.Now().Add(2*time.Hour).Format(time.RFC3339))
	ended("revoke", 1, "-subject", "player-0", "-issuer", testkit.IssuerName)
	status, out, err = o.run(t, "bans", "-subject", "alice")
	if status != exitOK || strings.Count(out, "alice") != 3 || err != "" {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	status, out, err = o.run(t, "lift", "-subject", "alice", "-issuer", testkit.IssuerName)
	if status != exitOK || strings.Count(out, "true") != 3 || err != "" {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	// By session the player is banned where the session lives, and other servers are no failure.
	_, out, _ = o.run(t, "sessions", "-subject", "player-2", "-json")
	name = regexp.MustCompile(`"session":"([0-9a-f]{32})"`).FindStringSubmatch(out)
	ended("ban", 1, "-session", name[1])
	status, out, err = o.run(t, "ban", "-session", strings.Repeat("0", 32))
	if status != exitFailed || out != "" || strings.Count(err, "No such session: ") != 3 {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	status, out, err = o.run(t, "keys list")
	if id := fmt.Sprintf("%08x", o.Keys.IDs()[0]); status != exitOK || strings.Count(out, id) != 3 || strings.Count(out, "seals") != 3 || err != "" {
		t.Errorf("%d\n%s%s", status, out, err)
	}
}

// Drain follows every server until it is closed, though the program of one ends.
func TestDrain(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 2)
	alice := o.matches[0].Join(t, "alice")
	status, out, err := o.run(t, "drain", "-look")
	if status != exitOK || strings.Count(out, "serving") != 2 || err != "" {
		t.Fatalf("%d\n%s%s", status, out, err)
	}
	go func() {
		for o.matches[1].Server.Stats().Sessions == 0 {
			if l, _ := o.matches[0].Audit.Since(0); bytes.Contains(bytes.Join(l, nil), []byte(`"operation":"drain"`)) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		alice.Close() //nolint:errcheck // it leaves
	}()
	status, out, err = o.run(t, "drain", "-within", "1m")
	if status != exitOK || strings.Count(out, "closed") != 2 || !strings.Contains(err, "draining, players 1") {
		t.Fatalf("%d\n%s%s", status, out, err)
	}
}

// "A server whose program ends before it has said "closed" is taken for closed": one that answers an error has not ended,
// nor has one that hangs.
func TestSaysEnded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{&admin.Problem{Status: http.StatusTooManyRequests}, false},
		{context.DeadlineExceeded, false},
		{identity.Expired, false},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(42)}, false}, // it denies the operator
		{net.ErrClosed, false},                                             // the operator's certificate has expired
		{errors.New("admin: match-1:7781 answers 503 Service Unavailable: it may be no admin API"), false},
		{syscall.ENETUNREACH, false},
		{syscall.ETIMEDOUT, false},
		{io.EOF, true},
		{io.ErrUnexpectedEOF, true},
		{syscall.ECONNREFUSED, true},
		{syscall.ECONNRESET, true},
		{syscall.Errno(10054), true}, // connection reset, as Windows has it
	} {
		if got := saysEnded(tc.err); got != tc.want {
			t.Errorf("%v: %v", tc.err, got)
		}
		if tc.err != nil {
			if got := saysEnded(&url.Error{Op: "Get", URL: "https://match-1:7781", Err: tc.err}); got != tc.want {
				t.Errorf("%v, as HTTP has it: %v", tc.err, got)
			}
		}
	}
}

// "A server whose program ends before it has said "closed" is taken for closed if it was closing, or nobody played on it, or
// no -within is given, though another program serves there at once." What answered draining may be closing by then.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		before   admin.DrainState
		sessions int
		within   string
		status   int
	}{
		{admin.Closing, 1, "1m", exitOK},
		{admin.Draining, 0, "1m", exitOK},
		{admin.Draining, 1, "0s", exitOK},
		{admin.Draining, 1, "1m", exitFailed},
	} {
		for why, restarts := range map[string]bool{"before it was closed": true, "connection refused": false} {
			services := identitytest.New(t)
			var s *httptest.Server
			s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				state := tc.before
				switch {
				case r.Method == http.MethodGet:
					state = admin.Serving
				case !restarts:
					s.Listener.Close() //nolint:errcheck // nobody is to answer there
					w.Header().Set("Connection", "close")
				}
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"state": %q, "sessions": %d}`, state, tc.sessions)
			}))
			s.Listener = services.Source(t, identity.GameState.Path("eu-1")).Listen(s.Listener)
			s.Start()
			defer s.Close()
			files := services.Files(t, identity.Operator.Path("zoe"))
			status, out, stderr := sallyport(t, "drain", "-server", s.Listener.Addr().String(), "-within", tc.within,
				"-cert", files.Certificate, "-key", files.Key, "-bundle", files.Bundle)
			if closed := strings.Contains(out, "closed  0"); status != tc.status || closed != (status == exitOK) || !closed && !strings.Contains(stderr, why) {
				t.Errorf("%s with %d players, -within %s, then %s: %d\n%s%s", tc.before, tc.sessions, tc.within, why, status, out, stderr)
			}
		}
	}
}

// Some servers that do not answer are status 3, and none that does is status 1; each is told with
// what to do.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 1)
	nobody := "127.0.0.1:" + testkit.FreePort(t)
	status, out, err := o.run(t, "stats", "-server", nobody)
	if status != exitPartly || !strings.Contains(out, o.matches[0].Address) || !strings.Contains(err, nobody+": ") {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	o.flags[1] = nobody
	status, out, err = o.run(t, "stats")
	if status != exitFailed || out != "" || !strings.Contains(err, "connection refused") {
		t.Errorf("%d\n%s%s", status, out, err)
	}
	status, out, _ = o.run(t, "stats", "-json")
	if all := answersOf(t, out); status != exitFailed || len(all) != 1 || all[0]["server"] != nobody || !strings.Contains(all[0]["error"].(string), "refused") {
		t.Errorf("%d\n%s", status, out)
	}
}

// What the role may not do, and a certificate of another trust domain, are failures that say what
// to do.
func TestNotAllowed(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 1)
	files := o.Services.Files(t, identity.Analytics.Path())
	o.flags = []string{"-server", o.matches[0].Address, "-cert", files.Certificate, "-key", files.Key, "-bundle", files.Bundle}
	status, _, err := o.run(t, "kick", "-session", strings.Repeat("0", 32))
	if status != exitFailed || !strings.Contains(err, "Forbidden: ") {
		t.Errorf("%d %s", status, err)
	}
	status, out, _ := o.run(t, "kick", "-session", strings.Repeat("0", 32), "-json")
	if all := answersOf(t, out); status != exitFailed || len(all) != 1 || all[0]["problem"].(map[string]any)["status"] != 403.0 {
		t.Errorf("%d %s", status, out)
	}
	other := admintest.New(t)
	files = other.Services.Files(t, identity.Operator.Path())
	o.flags = []string{"-server", o.matches[0].Address, "-cert", files.Certificate, "-key", files.Key, "-bundle", files.Bundle}
	if status, _, err := o.run(t, "stats"); status != exitFailed || !strings.Contains(err, "no authority of the trust bundle has signed") {
		t.Errorf("%d %s", status, err)
	}
}

// The operator's identity may come from the Workload API.
func TestWorkloadAPI(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 1)
	w := o.Services.Serve(t, identity.Operator.Path("zoe"))
	status, out, err := sallyport(t, "stats", "-server", o.matches[0].Address, "-socket", w.Address())
	if status != exitOK || err != "" || !strings.Contains(out, "serving") {
		t.Errorf("%d\n%s%s", status, out, err)
	}
}

// A server of another role than -server-role is not asked, and the flag is named.
func TestServerRole(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 1)
	status, out, err := o.run(t, "stats", "-server-role", "operator")
	if status != exitFailed || out != "" || !strings.Contains(err, "is not of the role operator") || !strings.Contains(err, "-server-role") {
		t.Errorf("%d\n%s%s", status, out, err)
	}
}

// What players state reaches the terminal as text that prints.
func TestHostileText(t *testing.T) {
	t.Parallel()
	rows := sessionRows(admin.Sessions{Sessions: []admin.Session{{Session: strings.Repeat("0", 32), Subject: "a\x1b[2J\tb\n", Scope: strings.Repeat("x", 1000)}}})
	if len(rows) != 1 || strings.ContainsAny(rows[0], "\x1b\n") || strings.Count(rows[0], "\t") != 7 || len(rows[0]) > 600 {
		t.Errorf("%q", rows)
	}
}

// A mistake in a command line is one sentence, status 2, and nobody is asked.
func TestUsage(t *testing.T) {
	t.Setenv("SALLYPORT_SERVERS", "")
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "")
	session := strings.Repeat("0", 32)
	for _, c := range []struct{ line, want string }{
		{"sessions", "-server is missing"},
		{"sessions -server match-1", `"match-1" is not host:port`},
		{"sessions -server :7781", `":7781" is not host:port`},
		{"sessions -server a:1,", `"" is not host:port`},
		{"sessions -server a:1 more", `what is "more"?`},
		{"sessions -server a:1 -server-role king", "there is no such role"},
		{"sessions -server a:1 -timeout 0s", "-timeout must be longer than 0"},
		{"sessions -server a:1 -session x -scope y", "leave out the others"},
		{"sessions -server a:1 -limit -1", "-limit must not be negative"},
		{"sessions -server a:1 -session x", "-session is the name of a session"},
		{"sessions -server a:1", "no identity to call with: give -cert, -key and -bundle, or -socket"},
		{"sessions -server a:1 -cert a -key b -bundle c", "no identity to call with: Files: "},
		{"sessions -server a:1 -socket x", "no identity to call with: Socket: "},
		{"stats -server a:1 -frob", "flag provided but not defined"},
		{"kick -server a:1", "give either -session or -subject"},
		{"kick -server a:1 -session " + session + " -subject a", "give either -session or -subject"},
		{"kick -server a:1 -session " + session + " -issuer a", "-issuer goes with -subject only"},
		{"kick -server a:1 -session " + session + " -reason 4", "-reason is 3 or from 128 to 255"},
		{"kick -server a:1 -session " + session + " -reason 256", "-reason is 3 or from 128 to 255"},
		{"kick -server a:1 -session " + session + " -detail " + strings.Repeat("x", 65), "-detail has at most 64 bytes"},
		{"kick -server a:1 -session " + session[1:], "-session is the name of a session"},
		{"kick -server a:1 -session " + session[1:] + "A", "-session is the name of a session"},
		{"revoke -server a:1 -session " + session + "0", "-session is the name of a session"},
		{"ban -server a:1 -session x", "-session is the name of a session"},
		{"ban -server a:1", "give either -session or -subject"},
		{"ban -server a:1 -subject a -for -1h", "must not be negative"},
		{"ban -server a:1 -subject a -for 1h -until 2026-11-29T08:00:00Z", "or -until"},
		{"ban -server a:1 -subject a -until tomorrow", "-until must be like"},
		{"ban -server a:1 -subject a -reason 4", "-reason is 3, 8, 9, 13, 19 or from 128 to 255"},
		{"ban -server a:1 -subject a -reason 256", "-reason is 3, 8, 9, 13, 19 or from 128 to 255"},
		{"ban -server a:1 -subject a -note " + strings.Repeat("x", 65), "-note has at most 64 bytes"},
		{"bans -server a:1 -limit -1", "-limit must not be negative"},
		{"lift -server a:1", "-subject is missing"},
		{"revoke -server a:1", "give exactly one of"},
		{"revoke -server a:1 -subject a -build b", "give exactly one of"},
		{"revoke -server a:1 -build b -time 2026-11-29T08:00:00Z", "goes with -subject only"},
		{"revoke -server a:1 -subject a -time now", "-time must be like"},
		{"drain -server a:1 -within -1s", "-within is from 0s to 24h"},
		{"drain -server a:1 -within 25h", "-within is from 0s to 24h"},
		{"drain -server a:1 -within 1h -look", "leave them out, or -look"},
		{"drain -server a:1 -to match-2", "is no address of a server"},
		{"keys", "a subcommand is missing"},
		{"keys rotate -server a:1,b:1", "-server must be one address"},
		{"keys emergency -server a:1", "give -yes if a key has leaked"},
		{"keys forget -server a:1", "-instance is missing"},
		{"keys generate more", ""},
	} {
		status, out, err := sallyport(t, strings.Fields(c.line)...)
		if status != exitUsage || out != "" || !strings.Contains(err, c.want) || strings.Count(err, "\n") != 1 || !strings.HasPrefix(err, "sallyport ") {
			t.Errorf("%s: %d, %q, %q, want %q", c.line, status, out, err, c.want)
		}
	}
}

// Each subcommand documents itself, with its flags, in lines that fit.
func TestHelp(t *testing.T) {
	t.Parallel()
	help := func(prefix string, table []command) {
		for _, s := range table {
			args := strings.Fields(prefix + s.name + " -h")
			status, out, err := sallyport(t, args...)
			if status != exitOK || err != "" || !strings.Contains(out, "sallyport "+prefix+s.name) || !strings.Contains(out, "xit status") {
				t.Errorf("%q: %d, %q\n%s", args, status, err, out)
			}
			for l := range strings.Lines(out) {
				if n := len([]rune(l)); n > 125 {
					t.Errorf("%q: %d characters: %s", args, n, l)
				}
			}
		}
	}
	help("", commands[:9])
	help("keys ", keyCommands)
}

func TestKeysGenerate(t *testing.T) {
	t.Parallel()
	status, out, err := sallyport(t, "keys", "generate")
	if all, bad := fleetkey.Parse([]byte(out)); status != exitOK || err != "" || bad != nil || len(all) != 1 {
		t.Errorf("%d %v %s", status, bad, err)
	}
	path := filepath.Join(t.TempDir(), "next.key")
	status, out, err = sallyport(t, "keys", "generate", "-out", path)
	text, bad := os.ReadFile(path)
	info, _ := os.Stat(path)
	if all, _ := fleetkey.Parse(text); status != exitOK || err != "" || bad != nil || len(all) != 1 || info.Mode() != 0o600 ||
		out != fmt.Sprintf("key %08x: %s\n", all[0].ID(), path) {
		t.Errorf("%d %v %s %s", status, bad, out, err)
	}
	if status, out, err = sallyport(t, "keys", "generate", "-out", path); status != exitUsage || out != "" || !strings.Contains(err, "exists") {
		t.Errorf("%d %s %s", status, out, err)
	}
}
