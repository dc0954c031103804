package program

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/gateway/internal/added"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// scene is a program that runs, and the files that it reads.
type scene struct {
	dir    string
	issuer *token.Issuer
	pin    [32]byte
	hup    chan os.Signal
	out    *testkit.Console
	addr   string
	status string
}

func (s *scene) file(name string) string { return filepath.Join(s.dir, name) }

func (s *scene) write(t *testing.T, name string, b []byte) {
	t.Helper()
	tmp := s.file(name) + ".new"
	err := os.WriteFile(tmp, b, 0o600)
	if err == nil {
		err = os.Rename(tmp, s.file(name))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// certify writes another certificate, which players pin from now on.
func (s *scene) certify(t *testing.T, c *tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}))
	s.write(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
	s.pin = sha256.Sum256(c.Certificate[0])
}

// issue writes the keys of another issuer, whose tokens players bring from now on.
func (s *scene) issue(t *testing.T) {
	t.Helper()
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: "https://id.test", Audience: "arena"})
	if err != nil {
		t.Fatal(err)
	}
	s.issuer = issuer
	s.write(t, "keys.json", issuer.JWKS())
}

func (s *scene) fleetKey(t *testing.T) {
	t.Helper()
	line, err := testkit.FleetKey(t).Text()
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "fleet.keys", line)
}

// run starts the program with a game behind it.
func run(t *testing.T, more ...string) *scene {
	t.Helper()
	s := &scene{
		dir: t.TempDir(), hup: make(chan os.Signal), out: new(testkit.Console),
		addr: "127.0.0.1:" + testkit.FreePort(t), status: "127.0.0.1:" + testkit.FreePort(t),
	}
	c, err := dev.NewCertificate()
	if err != nil {
		t.Fatal(err)
	}
	s.certify(t, &c)
	s.issue(t)
	s.fleetKey(t)
	s.write(t, "limits.json", []byte(`{"max_players": 100}`))
	s.write(t, "lanes.json", []byte(`[{"mode": "reliable", "max_age": "2s"}]`))
	own, side := "127.0.0.1:"+testkit.FreePort(t), "127.0.0.1:"+testkit.FreePort(t)
	args := append([]string{
		"-listen", s.addr, "-status", s.status, "-game", own, "-own", side, "-audit", s.file("audit.jsonl"),
		"-cert", s.file("cert.pem"), "-key", s.file("key.pem"), "-issuer", "https://id.test", "-audience", "arena",
		"-keys", s.file("keys.json"), "-fleet-keys", s.file("fleet.keys"), "-limits", s.file("limits.json"), "-lanes", s.file("lanes.json"),
	}, more...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- Run(ctx, s.hup, args, s.out, s.out) }()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitOK || t.Failed() {
			t.Errorf("exit status %d\n%s", code, s.out)
		}
	})
	s.out.Await(t, "listening")
	go added.Child("", []string{"game", own, side}, nil, nil) //nolint:errcheck // it plays until the test program ends
	s.out.Await(t, "the backend is ready")
	return s
}

func (s *scene) dial(t *testing.T, subject string) (*transport.Client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := transport.Dial(ctx, s.addr, transport.ClientConfig{
		Pin: &s.pin,
		Token: func(context.Context) ([]byte, error) {
			text, err := s.issuer.Mint(time.Now(), token.Grant{Subject: subject})
			return []byte(text), err
		},
		Session: session.ClientConfig{Lanes: true},
	})
	if err == nil {
		t.Cleanup(func() { c.Close() }) //nolint:errcheck // it may be out
	}
	return c, err
}

func (s *scene) join(t *testing.T, subject string) *transport.Client {
	t.Helper()
	c, err := s.dial(t, subject)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return c
}

func reason(err error) session.Reason {
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		return closed.Reason
	}
	return 0
}

// echo has a player send something and get it back.
func echo(t *testing.T, c *transport.Client) {
	t.Helper()
	if err := c.Send([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(t.Context(), make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// metric is the value of a metric of the program's.
func (s *scene) metric(t *testing.T, name string) string {
	t.Helper()
	return testkit.Metric(t, s.status, name)
}

// What is read again on SIGHUP counts for who comes next, and who plays notices nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	s := run(t)
	alice := s.join(t, "alice")
	echo(t, alice)
	s.certify(t, testkit.NewAuthority(t).Server(t)) // good until 2100
	s.issue(t)
	s.fleetKey(t)
	s.write(t, "limits.json", []byte(`{"max_players": 2, "hold": "3s", "datagrams": 100}`))
	if err := os.Rename(s.file("audit.jsonl"), s.file("audit.1")); err != nil {
		t.Fatal(err)
	}
	s.hup <- os.Interrupt // any signal of the channel
	for _, what := range []string{"certificate reloaded", "the issuer's keys reloaded", "fleet keys reloaded", "limits reloaded", "does not change in a process that runs"} {
		s.out.Await(t, what)
	}
	if got := s.metric(t, `sallyport_certificate_expiry_timestamp_seconds{certificate="dtls"}`); got != "4.1024448e+09" {
		t.Errorf("the new certificate expires at %s", got)
	}
	bob := s.join(t, "bob")
	echo(t, bob)
	echo(t, alice)
	if _, err := s.dial(t, "carol"); reason(err) != session.ReasonFull {
		t.Errorf("carol: %v, want full", err)
	}
	for _, name := range []string{"audit.1", "audit.jsonl"} {
		if _, err := os.Stat(s.file(name)); err != nil {
			t.Error(err)
		}
	}
}

// A file that changes is read again without a signal; one that cannot be used changes nothing.
func TestFileChanges(t *testing.T) {
	t.Parallel()
	s := run(t)
	pin := s.pin
	s.write(t, "cert.pem", []byte("rubbish"))
	s.write(t, "keys.json", []byte("rubbish"))
	s.write(t, "fleet.keys", []byte("rubbish"))
	s.write(t, "limits.json", []byte(`{"max_player": 3}`))
	for _, what := range []string{"certificate kept", "the issuer's keys kept", "fleet keys kept", "limits kept"} {
		s.out.Await(t, what)
	}
	s.pin = pin
	echo(t, s.join(t, "alice"))
}

// Health and metrics are there, and nothing else.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := run(t, "-status-hosts", "match-1.example, match-1")
	ask := func(host, path string, want int) {
		t.Helper()
		if got := testkit.Status(t, "http://"+s.status+path, host); got != want {
			t.Errorf("%s of %q: %d, want %d", path, host, got, want)
		}
	}
	for path, want := range map[string]int{"/live": 200, "/ready": 200, "/metrics": 200, "/": 404, "/state": 404, "/token": 404} {
		ask("", path, want)
	}
	ask("match-1:7780", "/metrics", 200)
	ask("match-1.example", "/metrics", 200)
	ask("evil.example", "/metrics", 403)
}

// What cannot be used is said in one sentence, and nothing runs.
func TestFlags(t *testing.T) {
	for says, args := range map[string]string{
		"-cert and -key":           "",
		"-issuer, -audience":       "-cert c -key k",
		"-dev brings":              "-dev -cert c",
		"must be a loopback":       "-dev -status :7780",
		"permission bits":          "-dev -mode rw",
		"everything is a flag":     "-dev x",
		"-snapshot is sealed":      "-dev -snapshot s",
		"-alg":                     "-dev -alg none",
		"address of the loopback":  "-dev -game 192.0.2.1:7 -listen 127.0.0.1:0 -status 127.0.0.1:0",
		"-filter needs the port":   "-dev -filter /sys/fs/bpf/sallyport -listen 127.0.0.1:0",
		"in no BPF file system":    "-dev -filter " + t.TempDir() + " -listen 127.0.0.1:7777 -status 127.0.0.1:0",
		"-lanes: open":             "-dev -lanes /nowhere -listen 127.0.0.1:0 -status 127.0.0.1:0",
		"others than its owner":    "-dev -fleet-keys " + readable(t) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		"mode must be unreliable,": "-dev -lanes " + lane(t, `[{"mode": "fast"}]`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		`array of lanes, such as [{"mode": "reliable"}] (found: object)`: "-dev -lanes " + lane(t, `{"mode":"reliable"}`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		`object, such as {"mode": "reliable"} (found: number)`:           "-dev -lanes " + lane(t, `[1]`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		`a whole number from 0 to 255 (found: number 300)`:               "-dev -lanes " + lane(t, `[{"priority":300}]`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		`"max_message" must be a whole number (found: string)`:           "-dev -lanes " + lane(t, `[{"max_message":"9"}]`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		`"input" must be true or false (found: number)`:                  "-dev -lanes " + lane(t, `[{"input":1}]`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		`"mode" must be text in quotes (found: number)`:                  "-dev -lanes " + lane(t, `[{"mode":1}]`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		`"hold" must be a duration in quotes, such as "500ms"`:           "-dev -limits " + lane(t, `{"hold":10}`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		`such as {"max_players": 100} (found: array)`:                    "-dev -limits " + lane(t, `[]`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		`"5" is no duration: give number and unit`:                       "-dev -limits " + lane(t, `{"hold":"5"}`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
		"unknown field": "-dev -lanes " + lane(t, `[{"mod": "fast"}]`) + " -listen 127.0.0.1:0 -status 127.0.0.1:0",
	} {
		var out strings.Builder
		if code := Run(t.Context(), nil, strings.Fields(args), &out, &out); code != exitUsage || !strings.Contains(out.String(), says) {
			t.Errorf("%q: exit status %d, and not %q:\n%s", args, code, says, &out)
		}
	}
}

func readable(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func lane(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lanes.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
