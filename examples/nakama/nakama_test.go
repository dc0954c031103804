//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// Names and passwords of a server that nobody but the test can reach.
const (
	serverKey    = "the-arena's-server-key"
	consoleUser  = "operator"
	consoleWords = "correct horse battery staple"
)

// nakama is a real server with the plugin in it.
type nakama struct {
	*program
	api, console string // URLs
}

// startNakama starts a server with a plugin on a fresh database. env is the runtime's environment.
func startNakama(t *testing.T, plugin string, env map[string]string) *nakama {
	t.Helper()
	bin, server := needDatabase(t), buildServer(t)
	checkPins(t, server)
	db, api, console := startDatabase(t, bin).address(t), testkit.FreePort(t), testkit.FreePort(t)
	run(t, nil, server, "migrate", "up", "--database.address", db)
	args := []string{
		"--name", "arena1", "--database.address", db, "--data_dir", t.TempDir(), "--runtime.path", filepath.Dir(plugin),
		"--socket.address", "127.0.0.1", "--socket.port", api, "--socket.server_key", serverKey,
		"--console.address", "127.0.0.1", "--console.port", console,
		"--console.username", consoleUser, "--console.password", consoleWords,
		"--session.encryption_key", "the-arena's-session-key, of 32 bytes or more", "--session.refresh_encryption_key", "the-arena's-refresh-key",
		"--session.token_expiry_sec", "600",
	}
	for name, value := range env {
		args = append(args, "--runtime.env", name+"="+value)
	}
	n := &nakama{start(t, nil, server, args...), "http://127.0.0.1:" + api, "http://127.0.0.1:" + console}
	n.await(t, "Startup done")
	return n
}

// needDatabase is for a test that needs PostgreSQL.
func needDatabase(t *testing.T) string {
	t.Helper()
	bin, err := databaseBin()
	testkit.Need(t, err)
	return bin
}

// quit ends the server as an operator does, and expects it to end well.
func (n *nakama) quit(t *testing.T) {
	t.Helper()
	if code := n.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the server ends with %d", code)
	}
	for _, bad := range []string{"panic", "DATA RACE", `"level":"error"`, `"level":"fatal"`} {
		if strings.Contains(n.String(), bad) {
			t.Errorf("the server has printed %s", bad)
		}
	}
}

// answer is what an HTTP endpoint says.
type answer struct {
	status int
	body   []byte
	fields map[string]any // of body, if it is a JSON object
}

func (a answer) text(name string) string {
	s, _ := a.fields[name].(string)
	return s
}

// post sends v as JSON. authorize says who asks.
func post(t *testing.T, url string, v any, authorize func(*http.Request)) answer {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, http.MethodPost, url, bytes.NewReader(b), authorize)
}

// ask asks something by HTTP.
func ask(t *testing.T, method, url string, body io.Reader, authorize func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	authorize(r)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	a := answer{status: reply.StatusCode}
	if a.body, err = io.ReadAll(reply.Body); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(a.body, &a.fields) // an answer may be something else
	return a
}

// asGame authorizes what comes before sign-in.
func asGame(r *http.Request) { r.SetBasicAuth(serverKey, "") }

// as authorizes what a player or operator does.
func as(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// ban bans a user as an operator does, in the console.
func (n *nakama) ban(t *testing.T, user string) {
	t.Helper()
	who := map[string]string{"username": consoleUser, "password": consoleWords}
	operator := post(t, n.console+"/v2/console/authenticate", who, func(*http.Request) {})
	a := post(t, n.console+"/v2/console/account/"+user+"/ban", nil, as(operator.text("token")))
	if a.status != http.StatusOK {
		t.Fatalf("ban: %d %s", a.status, a.body)
	}
}
