package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// program is a server that runs as the command does.
type program struct {
	testkit.Console
	hup  chan os.Signal
	stop context.CancelFunc
	code chan int
}

func launch(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{hup: make(chan os.Signal), code: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	p.stop = cancel
	args = append([]string{"-listen", "127.0.0.1:0", "-status", "127.0.0.1:0"}, args...)
	go func() { p.code <- run(ctx, p.hup, args, &p.Console, &p.Console) }()
	t.Cleanup(cancel)
	return p
}

// end stops the program and wants it to succeed.
func (p *program) end(t *testing.T) {
	t.Helper()
	p.stop()
	select {
	case code := <-p.code:
		if code != exitOK {
			t.Errorf("exit status %d: %s", code, &p.Console)
		}
	case <-time.After(10 * time.Second):
		t.Error("does not end")
	}
}

func soakFor(t *testing.T, m soak.Match) {
	t.Helper()
	r := soak.Run(t.Context(), soak.Config{Players: 2, Rate: 60, Payload: 64, Duration: 300 * time.Millisecond}, m)
	if !r.OK() {
		t.Errorf("%+v", r)
	}
}

func TestDev(t *testing.T) {
	dir := t.TempDir()
	file, log := filepath.Join(dir, "dev.json"), filepath.Join(dir, "audit")
	p := launch(t, "-dev", "-dev-file", file, "-audit", log)
	p.Find(t, `msg=listening`)
	f, err := gameserver.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := soak.Remote(f.Addr, f)
	if err != nil {
		t.Fatal(err)
	}
	soakFor(t, m)
	status := p.Find(t, `metrics=http://([^/\s]+)/metrics`)
	if n := testkit.Metric(t, status, `sallyport_handshakes_total{result="completed"}`); n != "2" {
		t.Errorf("two players have joined, and /metrics has %s handshakes", n)
	}
	p.end(t)
	if _, err := os.Stat(file); err != nil {
		t.Errorf("development file: %v", err)
	}
	lines, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(lines), `"accept"`) || !strings.Contains(string(lines), `"close"`) {
		t.Errorf("audit: %s", lines)
	}
	for text, want := range map[string]int{
		"\n": 2 + 2 + 2, "msg=listening ": 1, " metrics=http://127.0.0.1:": 1, "msg=accept session=": 2, "msg=close detail=\"player left\" session=": 2, "msg=stopped": 1,
	} {
		if n := strings.Count(p.String(), text); n != want {
			t.Errorf("%d times %q on standard error, want %d:\n%s", n, text, want, &p.Console)
		}
	}
}

// files writes what a server outside development is given.
func files(t *testing.T, dev *gameserver.Dev) (cert, key, keys string) {
	t.Helper()
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(dev.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, keys = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "keys.json")
	write(t, cert, dev.CA)
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	write(t, keys, dev.Issuer.JWKS())
	return cert, key, keys
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func newDev(t *testing.T) *gameserver.Dev {
	t.Helper()
	dev, err := gameserver.NewDev()
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// match is a server at addr that has dev's certificate and trusts dev's issuer.
func match(t *testing.T, addr string, ca []byte, issuer *token.Issuer) soak.Match {
	t.Helper()
	var tokens []string
	for _, subject := range []string{"alice", "bob"} {
		raw, err := issuer.Mint(time.Now(), token.Grant{Subject: subject})
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, raw)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return soak.Tokens(addr, roots, tokens)
}

// "-jwks: URL of the issuer's JWK set, in place of -keys"
func TestPublishedKeys(t *testing.T) {
	dev := newDev(t)
	cert, key, _ := files(t, dev)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(dev.Issuer.JWKS()) }))
	defer web.Close()
	p := launch(t, "-cert", cert, "-key", key, "-issuer", "sallyport-dev", "-audience", "sallyport-arena", "-jwks", web.URL, "-alg", "ES256")
	soakFor(t, match(t, p.Find(t, `msg=listening addr=(\S+)`), dev.CA, dev.Issuer))
	p.end(t)
	if strings.Contains(p.String(), "no keys") {
		t.Error(p.String())
	}
}

// "A provider that is down keeps nobody from starting."
func TestProviderDown(t *testing.T) {
	cert, key, _ := files(t, newDev(t))
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	p := launch(t, "-cert", cert, "-key", key, "-cognito-pool", "eu-central-1_AbCdEf123", "-cognito-clients", "a,b", "-cognito-endpoint", web.URL)
	p.Find(t, "no keys to verify players with yet")
	p.Find(t, "msg=listening")
	p.end(t)
}

// "SIGHUP reloads the certificate", and a broken file costs nothing.
func TestOwnCertificateAndKeys(t *testing.T) {
	dev, other := newDev(t), newDev(t)
	cert, key, keys := files(t, dev)
	p := launch(t, "-cert", cert, "-key", key, "-issuer", "sallyport-dev", "-audience", "sallyport-arena", "-keys", keys)
	addr := p.Find(t, `msg=listening addr=(\S+)`)
	soakFor(t, match(t, addr, dev.CA, dev.Issuer))

	write(t, cert, []byte("junk"))
	p.hup <- os.Interrupt
	p.Find(t, "certificate kept")
	soakFor(t, match(t, addr, dev.CA, dev.Issuer))

	newCert, newKey, _ := files(t, other)
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, b)
	}
	p.hup <- os.Interrupt
	p.Find(t, "certificate reloaded")
	soakFor(t, match(t, addr, other.CA, dev.Issuer))
	p.end(t)
}

func TestKeysInPEM(t *testing.T) {
	dev := newDev(t)
	cert, key, _ := files(t, dev)
	alg, _, err := issuerKeys(&flags{keys: cert})
	if err != nil || alg != token.ES256 {
		t.Errorf("%s, %v: a certificate on P-256 is for ES256", alg, err)
	}
	if _, _, err := issuerKeys(&flags{keys: cert, alg: "RS256"}); err == nil {
		t.Error("a certificate on P-256 accepted for RS256")
	}
	if _, _, err := issuerKeys(&flags{keys: key}); err == nil {
		t.Error("a private key accepted")
	}
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		t.Error(err)
	}
}

func TestHUPInDevelopment(t *testing.T) {
	p := launch(t, "-dev", "-dev-file", filepath.Join(t.TempDir(), "dev.json"))
	url := p.Find(t, `status=(\S+)`)
	p.hup <- os.Interrupt
	p.Find(t, "nothing to reload")
	resp, err := http.Get(url + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var stats gameserver.Stats
	if err := json.NewDecoder(resp.Body).Decode(&stats); err != nil {
		t.Error(err)
	}
	p.end(t)
}

// "names by which the page and /metrics may be asked for, besides IP addresses and localhost"
func TestStatusHosts(t *testing.T) {
	p := launch(t, "-dev", "-dev-file", filepath.Join(t.TempDir(), "dev.json"), "-status-hosts", "match-1, match-1.example")
	url := p.Find(t, `status=(\S+)`)
	for host, want := range map[string]int{"": 200, "match-1:7780": 200, "match-1.example": 200, "evil.example": 403} {
		for _, path := range []string{"/metrics", "/stats"} {
			if got := testkit.Status(t, url+path, host); got != want {
				t.Errorf("%s of %q: %d, want %d", path, host, got, want)
			}
		}
	}
	p.end(t)
}

// A certificate that cannot be used is no reason to choose another address, and a secret is written to
// no file that others read.
func TestHints(t *testing.T) {
	cert, _, keys := files(t, newDev(t))
	_, key, _ := files(t, newDev(t))
	for name, test := range map[string]struct {
		args       []string
		want, hint string
	}{
		"another's key": {[]string{"-cert", cert, "-key", key, "-keys", keys, "-issuer", "i", "-audience", "a"}, "private key", "-listen"},
		"key log":       {[]string{"-dev", "-keylog", filepath.Join(cert, "keys.log")}, "-keylog", "-listen"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), nil, append(test.args, "-listen", "127.0.0.1:0", "-status", "127.0.0.1:0"), &stdout, &stderr)
		if text := stderr.String(); code != exitUsage || !strings.Contains(text, test.want) || strings.Contains(text, test.hint) {
			t.Errorf("%s: exit status %d, %q", name, code, text)
		}
	}
}

// "one clear sentence on standard error that says what to change, exit status 2"
func TestUsage(t *testing.T) {
	cert, key, keys := files(t, newDev(t))
	junk := filepath.Join(t.TempDir(), "junk")
	write(t, junk, []byte("junk"))
	own := func(cert, key, keys string, more ...string) []string {
		args := []string{"-listen", "127.0.0.1:0", "-status", "", "-issuer", "i", "-audience", "a", "-cert", cert, "-key", key, "-keys", keys}
		return append(args, more...)
	}
	for _, args := range [][]string{
		{},
		{"-nonsense"},
		{"argument"},
		{"-dev", "-tick", "0"},
		{"-dev", "-tick", "257"},
		{"-dev", "-cert", cert},
		{"-dev", "-status", ""},
		{"-dev", "-listen", "127.0.0.1:0", "-status", "0.0.0.0:0"},
		{"-dev", "-listen", "nowhere", "-status", "127.0.0.1:0"},
		{"-dev", "-listen", "127.0.0.1:0", "-status", "127.0.0.1:0", "-dev-file", "/missing/dev.json"},
		{"-dev", "-listen", "127.0.0.1:0", "-status", "127.0.0.1:0", "-audit", "/missing/audit"},
		{"-cert", cert, "-key", key},
		{"-jwks", "https://id.example.com/jwks.json"},
		{"-dev", "-jwks", "https://id.example.com/jwks.json"},
		{"-dev", "-events-max", "0"},
		{"-dev", "-audit-key", key},
		{"-dev", "-listen", "127.0.0.1:0", "-status", "127.0.0.1:0", "-audit", filepath.Join(t.TempDir(), "audit"), "-audit-key", key},
		{"-dev", "-listen", "127.0.0.1:0", "-status", "127.0.0.1:0", "-audit", filepath.Join(t.TempDir(), "audit"), "-audit-key", "/missing/key"},
		{"-dev", "-events-max", "4097"},
		{"-dev", "-revoke-after", "-1s"},
		own(cert, key, keys, "-jwks", "https://id.example.com/jwks.json"),
		own(cert, key, "", "-jwks", "http://id.example.com/jwks.json"),
		own(cert, key, keys, "-cognito-pool", "eu-central-1_AbCdEf123", "-cognito-clients", "a"),
		own(cert, key, keys, "-cognito-clients", "a"),
		{"-cert", cert, "-key", key, "-cognito-pool", "eu-central-1_AbCdEf123"},
		{"-cert", cert, "-key", key, "-cognito-pool", "nonsense", "-cognito-clients", "a"},
		own(junk, key, keys),
		own(cert, cert, keys),
		own(cert, key, junk),
		own(cert, key, filepath.Join(t.TempDir(), "missing")),
		own(cert, key, keys, "-alg", "HS256"),
		own(cert, key, keys, "-alg", "RS256"),
	} {
		var stdout, stderr bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		code := run(ctx, nil, args, &stdout, &stderr)
		cancel()
		if code != exitUsage || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: exit status %d, standard output %q, standard error %q", args, code, &stdout, &stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), nil, []string{"-h"}, &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit status %d, standard error %q", code, &stderr)
	}
	for _, want := range []string{"Exit status", "/token", "SIGHUP", "-audience", "-snapshot", "-new-fleet-key"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%s is missing from the help", want)
		}
	}
}
