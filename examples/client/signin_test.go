package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/token"
)

// wantUsage expects one sentence on standard error and exit status 2, and that no password is in it.
func wantUsage(t *testing.T, args []string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr, false)
	if code != exitUsage || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 || strings.Contains(stderr.String(), "hunter2") {
		t.Errorf("%q: exit status %d, standard output %q, standard error %q", args, code, &stdout, &stderr)
	}
}

// pool answers InitiateAuth as Amazon Cognito does, for the one user whose password is hunter2, with tokens of dev.
func pool(t *testing.T, dev *gameserver.Dev) (endpoint string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			AuthFlow       string
			AuthParameters map[string]string
		}
		err := json.NewDecoder(r.Body).Decode(&in)
		if err != nil || in.AuthFlow == "USER_PASSWORD_AUTH" && in.AuthParameters["PASSWORD"] != "hunter2" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type": "NotAuthorizedException"}`)
			return
		}
		access, err := dev.Issuer.Mint(time.Now(), token.Grant{Subject: "alice", Scope: "arena"})
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `{"AuthenticationResult": {"AccessToken": %q, "RefreshToken": "again"}}`, access)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func caFile(t *testing.T, dev *gameserver.Dev) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, dev.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// "Passwords: also from the environment variable." Each player, and each one that comes again, gets a token of its own.
func TestSignIn(t *testing.T) {
	addr, file, dev := devServer(t)
	f, err := gameserver.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cognito := []string{"-cognito-endpoint", pool(t, dev), "-cognito-client", "game", "-user", "alice"}
	for name, test := range map[string]struct {
		args     []string
		password string // in the environment
	}{
		"token URL":   {[]string{"-token-url", f.TokenURL + "?subject=alice&scope=arena"}, ""},
		"password":    {append(cognito, "-password", "hunter2"), ""},
		"environment": {cognito, "hunter2"},
		"both":        {append(cognito, "-password", "hunter2"), "another"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(passwordVariable, test.password)
			for _, more := range [][]string{{"-players", "2"}, {"-players", "2", "-churn", "1"}} {
				args := append([]string{"-connect", addr, "-ca", caFile(t, dev), "-duration", "600ms"}, test.args...)
				r, code := play(t, t.Context(), append(args, more...)...)
				if code != exitOK || r.Connected != r.Players || r.Lost != 0 || r.Sent == 0 {
					t.Errorf("exit status %d, %+v", code, r)
				}
			}
		})
	}
}

// Who signs in is one player, unless -players says more.
func TestSignInAlone(t *testing.T) {
	addr, file, dev := devServer(t)
	f, err := gameserver.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	args := []string{"-connect", addr, "-ca", caFile(t, dev), "-duration", "300ms", "-token-url", f.TokenURL + "?subject=alice"}
	if code := run(t.Context(), args, &stdout, &stderr, false); code != exitOK || !strings.Contains(stdout.String(), "1 of 1 connected") {
		t.Errorf("exit status %d\n%s%s", code, &stdout, &stderr)
	}
}

func TestSignInUsage(t *testing.T) {
	dev, err := gameserver.NewDev()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(passwordVariable, "")
	at, user := []string{"-connect", "127.0.0.1:1"}, []string{"-cognito-client", "game", "-user", "alice"}
	region := append(user, "-cognito-region", "eu-central-1", "-password", "hunter2")
	for _, args := range [][]string{
		{"-token-url", "https://idp.example"},
		append(at, "-token-url", "nowhere"),
		append(at, "-token-url", "http://idp.example"),
		append(at, "-token-url", "https://idp.example", "-user", "alice"),
		append(at, "-token-url", "https://idp.example", "-token", "file"),
		append(at, "-token-url", "https://idp.example", "-dev-file", "file"),
		append(at, "-token-url", "https://idp.example", "-renew"),
		append(at, "-token-url", "https://idp.example", "-bearer"),
		append(at, "-token-url", "https://idp.example", "-ca", "missing"),
		append(at, "-user", "alice"),
		append(at, append(user, "-password", "hunter2")...),
		append(at, append(user, "-cognito-region", "eu-central-1")...),
		append(at, append(region, "-bearer")...),
		append(at, append(user, "-password", "hunter2", "-cognito-endpoint", "http://idp.example")...),
		append(at, append(user, "-password", "hunter2wrong", "-cognito-endpoint", pool(t, dev))...),
	} {
		wantUsage(t, args)
	}
}
