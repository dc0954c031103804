package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// pieces counts the datagrams of a ClientHello of which not all is in the first one.
func pieces(n *atomic.Int64) func(bool, []byte) bool {
	return func(fromServer bool, b []byte) bool {
		if !fromServer && len(b) > 25 && b[0] == 22 && b[13] == 1 && string(b[14:17]) != string(b[22:25]) {
			n.Add(1)
		}
		return false
	}
}

// A client whose ClientHello does not fit its MTU sends it in fragments, and is served, with a certificate of its own
// or without.
func TestForeignFragments(t *testing.T) {
	need(t)
	t.Parallel()
	authority := testkit.NewAuthority(t)
	f, own := write(t, authority.Server(t)), write(t, authority.Client(t, "player"))
	for _, mtu := range []string{"256", "400"} {
		for name, cert := range map[string]*files{"alone": nil, "with a certificate": &own} {
			t.Run(mtu+" "+name, func(t *testing.T) {
				t.Parallel()
				args := []string{"-client-auth", "any"}[:2*min(1, len(name)-5)]
				server, address := serve(t, f, args...)
				var n atomic.Int64
				// A long name makes the ClientHello longer than either.
				p := clients[0].start(t, relayTo(t, address, pieces(&n)), f, cert, "-mtu", mtu, "-alpn", strings.Repeat("protocol,", 30)+"x")
				p.say(t, "hello\n")
				p.Await(t, "hello")
				p.leave(t)
				if l := server.connection(t); (l.Certificate != "") != (cert != nil) {
					t.Errorf("%+v", l)
				}
				if n.Load() < 4 { // two ClientHellos
					t.Errorf("%d fragments of ClientHellos: they are to be in some", n.Load())
				}
			})
		}
	}
}

// A client whose records are shorter than its datagrams sends several fragments of its ClientHello in one.
func TestForeignFragmentsTogether(t *testing.T) {
	need(t)
	t.Parallel()
	f := write(t, testkit.NewAuthority(t).Server(t))
	server, address := serve(t, f)
	var n atomic.Int64
	p := clients[0].start(t, relayTo(t, address, pieces(&n)), f, nil,
		"-max_send_frag", "512", "-mtu", "1400", "-alpn", strings.Repeat("protocol,", 60)+"x")
	p.say(t, "hello\n")
	p.Await(t, "hello")
	p.leave(t)
	server.connection(t)
	if n.Load() != 2 { // two ClientHellos
		t.Errorf("%d datagrams with a fragment of a ClientHello", n.Load())
	}
}

// mbedTLS is a client of Mbed TLS, built with Debian's library.
var mbedTLS = sync.OnceValues(func() (program string, err error) {
	var packages []string
	if _, err := os.Stat("/usr/include/mbedtls/ssl.h"); err != nil {
		packages = append(packages, "libmbedtls-dev")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		packages = append(packages, "gcc", "libc6-dev")
	}
	if len(packages) > 0 {
		if err := testkit.Install(packages...); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp("", "mbedtls")
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, "mbedtls")
	out, err := exec.Command("cc", "-o", program, "testdata/mbedtls.c", "-lmbedtls", "-lmbedx509", "-lmbedcrypto").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cc: %w: %s", err, out)
	}
	return program, nil
})

// Mbed TLS 2.28 signs with the hash of the suite: it can show its certificate only to a server that prefers AES-128.
func TestForeignMbedTLS(t *testing.T) {
	program, err := mbedTLS()
	testkit.Need(t, err)
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(program)) }) //nolint:errcheck // of the system's temporary files
	authority := testkit.NewAuthority(t)
	own := write(t, authority.Client(t, "player"))
	t.Run("all", func(t *testing.T) {
		for key, cert := range certificates(t) {
			f := write(t, cert)
			for _, auth := range []string{"", "request", "any"} {
				for _, mtu := range []string{"0", "256"} {
					t.Run(fmt.Sprintf("%s %s mtu %s", key, auth, mtu), func(t *testing.T) {
						t.Parallel()
						server, address := serve(t, f, "-client-auth", auth)
						host, port, _ := net.SplitHostPort(address)
						p := start(t, program, host, port, mtu, own.cert, own.key)
						p.Await(t, "echo hello")
						p.Await(t, "suite TLS-ECDHE-"+key+"-WITH-AES-128-GCM-SHA256")
						if l := server.connection(t); (l.Certificate != "") != (auth != "") {
							t.Errorf("%+v", l)
						}
					})
				}
			}
		}
	})
}
