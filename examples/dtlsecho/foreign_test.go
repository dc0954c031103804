package main

import (
	"context"
	"io"
	"net"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// peers are the foreign stacks, by the Debian package that each comes in.
var peers = map[string]string{"openssl": "openssl", "gnutls-cli": "gnutls-bin", "gnutls-serv": "gnutls-bin"}

// need is for a test that talks to the foreign stacks.
func need(t *testing.T) {
	t.Helper()
	testkit.Need(t, installed())
}

// installed installs what is missing, once.
var installed = sync.OnceValue(func() error {
	var packages []string
	for program, from := range peers {
		if _, err := exec.LookPath(program); err != nil {
			packages = append(packages, from)
		}
	}
	if len(packages) == 0 {
		return nil
	}
	return testkit.Install(packages...)
})

// foreign is a program that runs beside the test.
type foreign struct {
	testkit.Console
	stdin io.WriteCloser
	kill  func() // returns when it has ended
	ended chan struct{}
}

func start(t *testing.T, name string, args ...string) *foreign {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	p := &foreign{ended: make(chan struct{})}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &p.Console, &p.Console
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // how it ends is its own affair
	}()
	p.kill = func() {
		cancel()
		<-p.ended
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %v says:\n%s", name, args, &p.Console)
		}
	})
	return p
}

func (p *foreign) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(p.stdin, text); err != nil {
		t.Fatal(err)
	}
}

// leave ends a client's input, upon which it says goodbye.
func (p *foreign) leave(t *testing.T) {
	t.Helper()
	p.stdin.Close() //nolint:errcheck // a pipe
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		t.Error("the client does not end")
	}
}

// client is one of the foreign clients, with the arguments that its features take.
type client struct {
	name     string
	aes      map[string][]string // by key length
	cbc      []string            // CBC suites only
	noEMS    []string            // no extended master secret; none where it cannot be told so
	old      []string            // DTLS 1.0 only
	exporter string              // what stands before the keying material in its output
	dial     func(address string, trust files, own *files) []string
}

func (c *client) start(t *testing.T, address string, trust files, own *files, more ...string) *foreign {
	t.Helper()
	if c.name == "openssl" && !slices.Contains(more, "-dtls1") {
		more = append(slices.Clone(more), "-dtls1_2") // it takes one of the two
	}
	return start(t, c.name, append(c.dial(address, trust, own), more...)...)
}

var clients = []*client{
	{
		name: "openssl",
		aes: map[string][]string{
			"128": {"-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"},
			"256": {"-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"},
		},
		cbc:      []string{"-cipher", "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256"},
		old:      []string{"-dtls1", "-cipher", "ALL@SECLEVEL=0"},
		exporter: "Keying material: ",
		dial: func(address string, trust files, own *files) []string {
			args := []string{"s_client", "-connect", address, "-CAfile", trust.cert, "-partial_chain", "-verify_return_error"}
			args = append(args, "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32")
			if own != nil {
				args = append(args, "-cert", own.cert, "-key", own.key)
			}
			return args
		},
	},
	{
		name: "gnutls-cli",
		aes: map[string][]string{
			"128": {"--priority", "NORMAL:-CIPHER-ALL:+AES-128-GCM"},
			"256": {"--priority", "NORMAL:-CIPHER-ALL:+AES-256-GCM"},
		},
		cbc:      []string{"--priority", "NORMAL:-CIPHER-ALL:+AES-256-CBC:+AES-128-CBC"},
		noEMS:    []string{"--priority", "NORMAL:%NO_SESSION_HASH"},
		old:      []string{"--priority", "NORMAL:-VERS-ALL:+VERS-DTLS1.0:+SHA1:%VERIFY_ALLOW_SIGN_WITH_SHA1"},
		exporter: "Key material: ",
		dial: func(address string, trust files, own *files) []string {
			host, port, _ := net.SplitHostPort(address)
			args := []string{"--udp", "--port", port, "--x509cafile", trust.cert}
			args = append(args, "--keymatexport", "EXPORTER-Channel-Binding", "--keymatexportsize", "32")
			if own != nil {
				args = append(args, "--x509certfile", own.cert, "--x509keyfile", own.key)
			}
			return append(args, host)
		},
	},
}

// relay passes datagrams between one client and a server on, but for those that lose says to.
type relay struct {
	near, far *net.UDPConn
	client    atomic.Pointer[net.UDPAddr]
	wg        sync.WaitGroup
}

// relayTo returns the address of a new relay.
func relayTo(t *testing.T, server string, lose func(fromServer bool, datagram []byte) bool) string {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{}
	if r.near, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	if r.far, err = net.DialUDP("udp", nil, to); err != nil {
		t.Fatal(err)
	}
	r.wg.Go(func() {
		for b := make([]byte, 2000); ; {
			n, from, err := r.near.ReadFromUDP(b)
			if err != nil {
				return
			}
			r.client.Store(from)
			if !lose(false, b[:n]) {
				_, _ = r.far.Write(b[:n]) // lost, as any may be
			}
		}
	})
	r.wg.Go(func() {
		for b := make([]byte, 2000); ; {
			n, err := r.far.Read(b)
			if err != nil {
				return
			}
			if !lose(true, b[:n]) {
				_, _ = r.near.WriteToUDP(b[:n], r.client.Load())
			}
		}
	})
	t.Cleanup(func() {
		r.near.Close() //nolint:errcheck // a socket
		r.far.Close()  //nolint:errcheck // a socket
		r.wg.Wait()
	})
	return r.near.LocalAddr().String()
}
