package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// program is a dtlsecho that runs as the command does, within the test.
type program struct {
	stdout, stderr testkit.Console
	stop           context.CancelFunc
	code           chan int
}

func launch(t *testing.T, stdin io.Reader, args ...string) *program {
	t.Helper()
	p := &program{code: make(chan int, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go func() { p.code <- run(ctx, args, stdin, &p.stdout, &p.stderr) }()
	t.Cleanup(cancel)
	return p
}

// exit waits for the program's end and returns its status.
func (p *program) exit(t *testing.T) int {
	t.Helper()
	select {
	case code := <-p.code:
		return code
	case <-time.After(15 * time.Second):
		t.Fatalf("does not end: %s%s", &p.stdout, &p.stderr)
		return -1
	}
}

// serve starts a server on a free port and returns its address. It must end well with the test.
func serve(t *testing.T, f files, args ...string) (p *program, address string) {
	t.Helper()
	p = launch(t, nil, append([]string{"-listen", "127.0.0.1:0", "-cert", f.cert, "-key", f.key}, args...)...)
	p.stdout.Await(t, "ready\n")
	_, address, _ = strings.Cut(p.stderr.String(), "listening on ")
	t.Cleanup(func() {
		p.stop()
		if code := p.exit(t); code != exitOK {
			t.Errorf("server ends with %d: %s", code, &p.stderr)
		}
	})
	return p, strings.TrimSpace(address)
}

// connections are the lines that a server has printed.
func (p *program) connections(t *testing.T) (all []line) {
	t.Helper()
	text, ok := strings.CutPrefix(p.stdout.String(), "ready\n")
	if !ok {
		t.Fatalf("standard output does not begin with ready: %q", text)
	}
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// connection waits for the one line that a server prints.
func (p *program) connection(t *testing.T) line {
	t.Helper()
	p.stdout.Await(t, "}\n")
	all := p.connections(t)
	if len(all) != 1 {
		t.Fatalf("connections: %+v", all)
	}
	return all[0]
}

// rsaCertificate is one for the loopback address, signed with its own key: the engine on pion/dtls v2 takes a peer's
// RSA certificate only if an RSA key has signed it.
var rsaCertificate = sync.OnceValues(func() (*tls.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

// certificates returns one of each kind of key.
func certificates(t *testing.T) map[string]*tls.Certificate {
	t.Helper()
	c, err := rsaCertificate()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*tls.Certificate{"ECDSA": testkit.NewAuthority(t).Server(t), "RSA": c}
}

// files are a certificate and its key, where programs find them.
type files struct{ cert, key string }

func write(t *testing.T, c *tls.Certificate) files {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{
		f.cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, f.key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}
