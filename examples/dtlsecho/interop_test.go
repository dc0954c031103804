package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
)

// "Real peers that nobody here wrote: openssl s_client -dtls1_2 and gnutls-cli --udp complete a handshake with the
// listener and exchange records with it." Both kinds of key, both lengths of key, and the same exporter at both ends.
func TestForeignClients(t *testing.T) {
	need(t)
	t.Parallel()
	for key, cert := range certificates(t) {
		f := write(t, cert)
		for _, c := range clients {
			for length, args := range c.aes {
				t.Run(c.name+" "+key+" "+length, func(t *testing.T) {
					t.Parallel()
					server, address := serve(t, f)
					p := c.start(t, address, f, nil, args...)
					converse(t, p)
					l := server.connection(t)
					if !strings.Contains(l.Suite, "ECDHE_"+key+"_WITH_AES_"+length+"_GCM") || l.Certificate != "" {
						t.Errorf("printed %+v", l)
					}
					sameExporter(t, c, p, l)
				})
			}
		}
	}
}

// converse sends records of several sizes, and wants each back.
func converse(t *testing.T, p *foreign) {
	t.Helper()
	for i, size := range []int{1, 10, 100, 1000} {
		text := fmt.Sprint("line ", i, " ", strings.Repeat("x", size), " end")
		p.say(t, text+"\n")
		p.Await(t, text)
	}
	p.leave(t)
}

// sameExporter compares what the client prints with what we do.
func sameExporter(t *testing.T, c *client, p *foreign, l line) {
	t.Helper()
	m := regexp.MustCompile(c.exporter + `([0-9A-Fa-f]{64})\s`).FindStringSubmatch(p.String())
	if m == nil {
		t.Fatalf("%s prints no keying material", c.name)
	}
	if !strings.EqualFold(m[1], l.Exporter) {
		t.Errorf("exporter is %s here, %s there", l.Exporter, m[1])
	}
}

// "[-xor]: each byte xor 0xff".
func TestForeignXor(t *testing.T) {
	need(t)
	t.Parallel()
	f := write(t, testkit.NewAuthority(t).Server(t))
	_, address := serve(t, f, "-xor")
	p := clients[0].start(t, address, f, nil)
	p.say(t, "hello\n")
	p.Await(t, string(xored("hello\n")))
	p.leave(t)
}

func xored(s string) []byte {
	b := []byte(s)
	for i := range b {
		b[i] ^= 0xff
	}
	return b
}

// "[-client-auth any|request]": any must be shown, or may be; who shows one has proven its key.
func TestForeignCertificates(t *testing.T) {
	need(t)
	t.Parallel()
	authority := testkit.NewAuthority(t)
	f := write(t, authority.Server(t))
	cert := authority.Client(t, "player")
	own, rsa := write(t, cert), write(t, certificates(t)["RSA"])
	sum := sha256.Sum256(cert.Certificate[0])
	for _, c := range clients {
		for _, test := range []struct {
			auth string
			own  *files
			ok   bool
		}{{"any", &own, true}, {"any", &rsa, true}, {"any", nil, false}, {"request", &own, true}, {"request", nil, true}} {
			t.Run(fmt.Sprint(c.name, " ", test.auth, " ", test.own != nil), func(t *testing.T) {
				t.Parallel()
				server, address := serve(t, f, "-client-auth", test.auth)
				p := c.start(t, address, f, test.own)
				if !test.ok {
					refused(t, server, p)
					return
				}
				converse(t, p)
				l := server.connection(t)
				if (l.Certificate != "") != (test.own != nil) {
					t.Errorf("printed %+v", l)
				}
				if test.own == &own && l.Certificate != hex.EncodeToString(sum[:]) {
					t.Errorf("another certificate: %+v", l)
				}
			})
		}
	}
}

// refused wants nothing to come of a client's attempt within a second.
func refused(t *testing.T, server *program, p *foreign) {
	t.Helper()
	_, _ = io.WriteString(p.stdin, "hello from the refused\n") // it may have ended
	select {
	case <-p.ended:
	case <-time.After(time.Second):
	}
	if all := server.connections(t); len(all) > 0 || strings.Contains(p.String(), "hello from the refused") {
		t.Errorf("accepted: %+v", all)
	}
}

// suitesGCM are the AEAD suites that we speak, and extendedMasterSecret the extension (RFC 7627), as bytes of a ClientHello.
var (
	suitesGCM            = []string{"\xc0\x2b", "\xc0\x2c", "\xc0\x2f", "\xc0\x30"}
	extendedMasterSecret = "\x00\x17\x00\x00"
)

// offered are the suites in a ClientHello, which stand behind its random bytes, session id and cookie.
func offered(hello string) string {
	b := hello[record.HeaderLen+12+2+32:]
	for range 2 {
		b = b[1+int(b[0]):]
	}
	return b[2 : 2+int(binary.BigEndian.Uint16([]byte(b)))]
}

// "Explicit AEAD list", "Refusal of clients without EMS", "DTLS 1.2 only". That the client does ask for what is to be
// refused is seen in its ClientHello.
func TestForeignRefusals(t *testing.T) {
	need(t)
	t.Parallel()
	for key, cert := range certificates(t) {
		f := write(t, cert)
		for _, c := range clients {
			for name, test := range map[string]struct {
				args  []string
				meant func(hello string) bool
			}{
				"CBC": {c.cbc, func(hello string) bool {
					return !slices.ContainsFunc(suitesGCM, func(s string) bool { return strings.Contains(offered(hello), s) })
				}},
				"no EMS":   {c.noEMS, func(hello string) bool { return !strings.Contains(hello, extendedMasterSecret) }},
				"DTLS 1.0": {c.old, func(hello string) bool { return hello[25:27] == "\xfe\xff" }},
			} {
				if test.args == nil {
					continue // OpenSSL 3.0 cannot be told to do without EMS
				}
				t.Run(c.name+" "+key+" "+name, func(t *testing.T) {
					t.Parallel()
					server, address := serve(t, f)
					var hello atomic.Value
					through := relayTo(t, address, func(fromServer bool, b []byte) bool {
						if !fromServer && b[0] == 22 {
							hello.CompareAndSwap(nil, string(b))
						}
						return false
					})
					refused(t, server, c.start(t, through, f, nil, test.args...))
					if s, ok := hello.Load().(string); !ok || !test.meant(s) {
						t.Errorf("the client did not ask for %s: %x", name, s)
					}
				})
			}
		}
	}
}

// "A retransmitted last flight is answered while the peer can need it" (RFC 6347 4.2.4).
func TestForeignFinalFlightLost(t *testing.T) {
	need(t)
	t.Parallel()
	f := write(t, testkit.NewAuthority(t).Server(t))
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, address := serve(t, f)
			var lost, flights atomic.Int64
			through := relayTo(t, address, func(fromServer bool, b []byte) bool {
				final := fromServer && b[0] == 20 // ChangeCipherSpec
				if final {
					flights.Add(1)
				}
				return final && lost.Add(1) <= 2
			})
			converse(t, c.start(t, through, f, nil))
			server.connection(t)
			if flights.Load() < 3 {
				t.Errorf("%d final flights", flights.Load())
			}
		})
	}
}

// "[-mtu N]": no datagram of the handshake is larger, at the bounds of what may be asked for.
func TestForeignMTU(t *testing.T) {
	need(t)
	t.Parallel()
	f := write(t, certificates(t)["RSA"])
	for _, c := range clients {
		for _, mtu := range []int{256, 1500} {
			t.Run(fmt.Sprint(c.name, " ", mtu), func(t *testing.T) {
				t.Parallel()
				_, address := serve(t, f, "-mtu", fmt.Sprint(mtu))
				var largest, datagrams atomic.Int64
				p := c.start(t, relayTo(t, address, func(fromServer bool, b []byte) bool {
					if fromServer {
						largest.Store(max(largest.Load(), int64(len(b))))
						datagrams.Add(1)
					}
					return false
				}), f, nil)
				p.say(t, "short\n")
				p.Await(t, "short")
				p.leave(t)
				if n := largest.Load(); n > int64(mtu) || n < int64(min(mtu, 600))/2 {
					t.Errorf("the largest of %d datagrams has %d bytes", datagrams.Load(), n)
				}
			})
		}
	}
}

// "Config.EllipticCurves is ignored by the server, ALPN is negotiated but always reads empty: do not depend on either."
// The client's first curve that both know is taken, and an ALPN that nobody asked for does no harm.
func TestForeignCurves(t *testing.T) {
	need(t)
	t.Parallel()
	f := write(t, certificates(t)["ECDSA"])
	for _, args := range [][]string{
		{"-curves", "X25519:P-256"},
		{"-curves", "P-256"},
		{"-curves", "P-384:P-256"},
		{"-curves", "P-521:P-384:P-256"},
		{"-alpn", "game/1"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			server, address := serve(t, f)
			p := clients[0].start(t, address, f, nil, args...)
			converse(t, p)
			sameExporter(t, clients[0], p, server.connection(t))
		})
	}
}

// "Never set SessionStore": nothing of a connection can be resumed, and a session from elsewhere, by whatever name it is
// offered, leads to a new one, with the client certificate as at first.
func TestForeignResumption(t *testing.T) {
	need(t)
	t.Parallel()
	authority := testkit.NewAuthority(t)
	f, own := write(t, authority.Server(t)), write(t, authority.Client(t, "player"))
	_, elsewhere := startServer(t, "openssl", f)
	session, none := filepath.Join(t.TempDir(), "session"), filepath.Join(t.TempDir(), "none")
	p := clients[0].start(t, elsewhere, f, nil, "-sess_out", session)
	p.Await(t, "Session-ID: ")
	p.leave(t)
	server, address := serve(t, f, "-client-auth", "any")
	p = clients[0].start(t, address, f, &own, "-sess_in", session, "-sess_out", none)
	converse(t, p)
	if l := server.connection(t); l.Certificate == "" || !strings.Contains(p.String(), "\nNew, TLSv1.2") {
		t.Errorf("the client has resumed a session: %+v", l)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("the client has something to resume")
	}
	p = clients[0].start(t, address, f, nil, "-sess_in", session)
	<-p.ended
	if n := len(server.connections(t)); n != 1 {
		t.Error("the client has resumed a session without its certificate")
	}
}

// "A player who crashed and returns from the same port is served within 1 s" (RFC 6347 4.2.8).
func TestForeignReturns(t *testing.T) {
	need(t)
	t.Parallel()
	f := write(t, certificates(t)["ECDSA"])
	server, address := serve(t, f)
	port := "127.0.0.1:" + testkit.FreePort(t)
	const limit = 2 * time.Second // the process has to start, beside others
	best := time.Hour             // of those who return
	for i := 0; i < 3 || best > limit && i < 10; i++ {
		begin := time.Now()
		p := clients[0].start(t, address, f, nil, "-bind", port)
		p.say(t, "hello\n")
		p.Await(t, "hello")
		if i > 0 {
			best = min(best, time.Since(begin))
		}
		p.kill() // no close_notify
		if all := server.connections(t); len(all) != i+1 || all[i].Addr != port {
			t.Fatalf("connections: %+v", all)
		}
	}
	if best > limit {
		t.Errorf("served after %v", best)
	}
}

// servers are foreign ones; each is told what port and certificate to take.
var servers = map[string]func(port string, f files) []string{
	"openssl": func(port string, f files) []string {
		return []string{"s_server", "-accept", "127.0.0.1:" + port, "-cert", f.cert, "-key", f.key}
	},
	"gnutls-serv": func(port string, f files) []string {
		return []string{"--udp", "--echo", "--port", port, "--x509certfile", f.cert, "--x509keyfile", f.key}
	},
}

// startServer starts a foreign server on a free port.
func startServer(t *testing.T, name string, f files, more ...string) (p *foreign, address string) {
	t.Helper()
	port := testkit.FreePort(t)
	if name == "openssl" && !slices.Contains(more, "-dtls1") {
		more = append(slices.Clone(more), "-dtls1_2")
	}
	p = start(t, name, append(servers[name](port, f), more...)...)
	p.Await(t, map[string]string{"openssl": "ACCEPT", "gnutls-serv": "listening on"}[name])
	return p, "127.0.0.1:" + port
}

// "Our client connects to openssl s_server -dtls1_2": lines go there and come from there.
func TestForeignServer(t *testing.T) {
	need(t)
	t.Parallel()
	for key, cert := range certificates(t) {
		f := write(t, cert)
		t.Run("openssl "+key, func(t *testing.T) {
			t.Parallel()
			server, address := startServer(t, "openssl", f)
			stdin, input := io.Pipe()
			p := launch(t, stdin, "-connect", address, "-ca", f.cert)
			go fmt.Fprintln(input, "from the client")
			server.Await(t, "from the client\n")
			server.say(t, "from the server\n")
			p.stdout.Await(t, "from the server\n")
			input.Close() //nolint:errcheck // a pipe
			if code := p.exit(t); code != exitOK {
				t.Errorf("client ends with %d: %s", code, &p.stderr)
			}
			server.Await(t, "DONE") // by our close_notify
		})
		t.Run("gnutls-serv "+key, func(t *testing.T) {
			t.Parallel()
			_, address := startServer(t, "gnutls-serv", f)
			p := launch(t, strings.NewReader("one\ntwo\nthree\n"), "-connect", address, "-ca", f.cert)
			if code := p.exit(t); code != exitOK || p.stdout.String() != "one\ntwo\nthree\n" {
				t.Errorf("client ends with %d: %s%s", code, &p.stdout, &p.stderr)
			}
		})
	}
}

// A client asked for its certificate shows it.
func TestForeignServerAsks(t *testing.T) {
	need(t)
	t.Parallel()
	authority := testkit.NewAuthority(t)
	f, own := write(t, authority.Server(t)), write(t, authority.Client(t, "player"))
	server, address := startServer(t, "openssl", f, "-Verify", "1", "-CAfile", own.cert, "-partial_chain", "-verify_return_error")
	p := launch(t, strings.NewReader("hello\n"), "-connect", address, "-ca", f.cert, "-cert", own.cert, "-key", own.key)
	server.Await(t, "hello\n")
	if code := p.exit(t); code != exitOK {
		t.Errorf("client ends with %d: %s", code, &p.stderr)
	}
}

// The other way round: servers that offer no AEAD suite, no DTLS 1.2 or no EMS, or want a certificate. The client says why.
func TestForeignServerRefused(t *testing.T) {
	need(t)
	t.Parallel()
	f := write(t, testkit.NewAuthority(t).Server(t))
	for name, test := range map[string]struct {
		server string
		args   []string
		why    string
	}{
		"CBC":            {"openssl", clients[0].cbc, "the peer says handshake_failure"},
		"DTLS 1.0":       {"openssl", clients[0].old, "the peer says handshake_failure"},
		"no EMS":         {"gnutls-serv", clients[1].noEMS, "no extended master secret"},
		"no certificate": {"openssl", []string{"-Verify", "1", "-verify_return_error"}, "client certificate asked for and not given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, address := startServer(t, test.server, f, test.args...)
			p := launch(t, strings.NewReader("hello\n"), "-connect", address, "-ca", f.cert)
			if code := p.exit(t); code != exitFailed || p.stdout.String() != "" {
				t.Errorf("client ends with %d: %s%s", code, &p.stdout, &p.stderr)
			}
			if n := strings.Count(p.stderr.String(), "\n"); n != 1 || !strings.HasSuffix(p.stderr.String(), test.why+"\n") {
				t.Errorf("%d lines on standard error: %s", n, &p.stderr)
			}
		})
	}
}
