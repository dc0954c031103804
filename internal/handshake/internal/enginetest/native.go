package enginetest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
)

// Native is a DTLS library used as its authors mean it: handshake and records.
type Native interface {
	Client(context.Context, net.Conn, NativeConfig) (NativeConn, error)
	Server(context.Context, net.Conn, NativeConfig) (NativeConn, error)
}

// NativeConn is its connection.
type NativeConn interface {
	net.Conn
	Export(label string, n int) ([]byte, error)
}

// NativeConfig is what tests set of its configuration; the library's defaults hold otherwise.
type NativeConfig struct {
	Suites      []record.Suite
	Certificate *tls.Certificate
	Pool        *x509.CertPool
	NoEMS       bool
	Schemes     []tls.SignatureScheme
}

// all are the four suites, with the kind of key they need.
var all = []record.Suite{record.ECDSAWithAES128, record.ECDSAWithAES256, record.RSAWithAES128, record.RSAWithAES256}

// cbc are suites of the libraries' defaults that we do not speak.
var cbc = map[bool]record.Suite{false: 0xc00a, true: 0xc014}

// NativeSuite runs an engine and our records against a library.
func NativeSuite(t *testing.T, e handshake.Engine, lib Native) {
	t.Run("Clients", func(t *testing.T) { testNativeClients(t, e, lib) })
	t.Run("Servers", func(t *testing.T) { testNativeServers(t, e, lib) })
	t.Run("LateFlight", func(t *testing.T) { testNativeLateFlight(t, e, lib) })
	t.Run("Order", func(t *testing.T) { testNativeOrder(t, e, lib) })
	t.Run("Refused", func(t *testing.T) { testNativeRefused(t, e, lib) })
}

// serve makes a handshake of our server with a native client.
func serve(t *testing.T, l *Link, e handshake.Engine, lib Native, sc *handshake.Config, nc NativeConfig) (*End, NativeConn, error, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	defer cancel()
	end, pipe := NewEnd(l, false), NewPipe(l, true)
	failed := make(chan error, 1)
	go func() {
		res, err := e.Server(ctx, end.Conn, sc)
		if err == nil {
			end.Established(t, res)
		}
		failed <- err
	}()
	conn, clientErr := lib.Client(ctx, pipe, nc)
	return end, conn, <-failed, clientErr
}

// connect makes a handshake of our client with a native server.
func connect(t *testing.T, l *Link, e handshake.Engine, lib Native, cc *handshake.Config, nc NativeConfig) (*End, NativeConn, error, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	defer cancel()
	end, pipe := NewEnd(l, true), NewPipe(l, false)
	type result struct {
		conn NativeConn
		err  error
	}
	served := make(chan result, 1)
	go func() {
		conn, err := lib.Server(ctx, pipe, nc)
		served <- result{conn, err}
	}()
	res, err := e.Client(ctx, end.Conn, cc)
	if err == nil {
		end.Established(t, res)
	}
	s := <-served
	return end, s.conn, err, s.err
}

// talk sends records both ways and compares exporters.
func talk(t *testing.T, end *End, conn NativeConn) {
	t.Helper()
	var said []string
	for i := range 20 {
		said = append(said, fmt.Sprint(i, strings.Repeat("x", i*50)))
	}
	buf := make([]byte, 2000)
	for _, text := range said {
		end.Say(t, text)
		if n, err := conn.Read(buf); err != nil || string(buf[:n]) != text {
			t.Fatalf("library reads %q, %v", buf[:n], err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	if got := end.Heard(); !slices.Equal(got, said) {
		t.Fatalf("we read %q", got)
	}
	want, err := conn.Export("EXPERIMENTAL-sallyport-v1", 32)
	if got := end.res.Secrets.Export("EXPERIMENTAL-sallyport-v1", 32); err != nil || !bytes.Equal(got, want) {
		t.Errorf("exporters differ: %v", err)
	}
	if end.rec.FailedOpens() != 0 {
		t.Error("a record of the library did not open")
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	end.Conn.Wait()
}

func testNativeClients(t *testing.T, e handshake.Engine, lib Native) {
	for _, suite := range all {
		sc, cc := Configs(t, suite.RSA())
		nc := NativeConfig{Suites: []record.Suite{suite}, Pool: cc.RootCAs}
		bubble(t, suite.String(), func(t *testing.T) {
			end, conn, err, clientErr := serve(t, &Link{Latency: time.Millisecond}, e, lib, sc, nc)
			if err != nil || clientErr != nil {
				t.Fatal(Cause(err), clientErr)
			}
			if got := end.res.Secrets.Suite; got != suite {
				t.Errorf("suite %v", got)
			}
			talk(t, end, conn)
		})
	}
}

// A client that prefers AES-256 gets AES-128: with the other one some sign by a hash that nobody asked them for.
func testNativeOrder(t *testing.T, e handshake.Engine, lib Native) {
	for _, isRSA := range []bool{false, true} {
		sc, cc := Configs(t, isRSA)
		with := *sc
		with.ClientAuth = tls.RequireAnyClientCert
		suites := slices.Clone(all)
		slices.Reverse(suites)
		nc := NativeConfig{Suites: suites, Pool: cc.RootCAs, Certificate: sc.Certificate()}
		bubble(t, fmt.Sprintf("RSA %v", isRSA), func(t *testing.T) {
			end, conn, err, clientErr := serve(t, &Link{Latency: time.Millisecond}, e, lib, &with, nc)
			if err != nil || clientErr != nil {
				t.Fatal(Cause(err), clientErr)
			}
			if got := end.res.Secrets.Suite; got != map[bool]record.Suite{false: record.ECDSAWithAES128, true: record.RSAWithAES128}[isRSA] {
				t.Errorf("suite %v", got)
			}
			talk(t, end, conn)
		})
	}
}

func testNativeServers(t *testing.T, e handshake.Engine, lib Native) {
	for _, suite := range all {
		sc, cc := Configs(t, suite.RSA())
		nc := NativeConfig{Suites: []record.Suite{suite}, Certificate: sc.Certificate()}
		bubble(t, suite.String(), func(t *testing.T) {
			end, conn, err, serverErr := connect(t, &Link{Latency: time.Millisecond}, e, lib, cc, nc)
			if err != nil || serverErr != nil {
				t.Fatal(Cause(err), serverErr)
			}
			if got := end.res.Secrets.Suite; got != suite {
				t.Errorf("suite %v", got)
			}
			talk(t, end, conn)
		})
	}
}

// The last flight is lost; a client that knows nothing of us completes by our answer to its retransmission.
func testNativeLateFlight(t *testing.T, e handshake.Engine, lib Native) {
	sc, cc := Configs(t, false)
	bubble(t, "", func(t *testing.T) {
		lost := false
		l := &Link{Latency: time.Millisecond, Tap: func(fromClient bool, _ int, b []byte) [][]byte {
			if !fromClient && isLastFlight(b) && !lost {
				lost = true
				return nil
			}
			return [][]byte{b}
		}}
		end, conn, err, clientErr := serve(t, l, e, lib, sc, NativeConfig{Pool: cc.RootCAs})
		if err != nil || clientErr != nil {
			t.Fatal(Cause(err), clientErr)
		}
		if !lost || end.Resent() != 1 {
			t.Errorf("flight sent again %d times", end.Resent())
		}
		talk(t, end, conn)
	})
}

// "Client without EMS refused, CBC-only client refused", and servers that know no better.
func testNativeRefused(t *testing.T, e handshake.Engine, lib Native) {
	_, _, _, _, ed := Keys(t)
	for _, isRSA := range []bool{false, true} {
		sc, cc := Configs(t, isRSA)
		ca := NewAuthority("authority", isRSA)
		ours := *sc
		ours.ClientAuth = tls.RequireAnyClientCert
		for name, c := range map[string]struct {
			sc *handshake.Config
			cc *handshake.Config
			nc NativeConfig

			server, client error // why our end fails, if it knows
		}{
			"no EMS":  {sc, cc, NativeConfig{Certificate: sc.Certificate(), Pool: cc.RootCAs, NoEMS: true}, handshake.ErrMasterSecret, handshake.ErrMasterSecret},
			"CBC":     {sc, cc, NativeConfig{Certificate: sc.Certificate(), Pool: cc.RootCAs, Suites: []record.Suite{cbc[isRSA]}}, handshake.ErrSuite, handshake.AlertError(71)},
			"Ed25519": {&ours, &handshake.Config{RootCAs: ca.Pool, ServerName: ServerName}, NativeConfig{Certificate: ca.Issue(ServerName, ed), Pool: cc.RootCAs}, nil, nil},
		} {
			bubble(t, fmt.Sprintf("%s client, RSA %v", name, isRSA), func(t *testing.T) {
				start := time.Now()
				end, _, err, _ := serve(t, &Link{Latency: time.Millisecond}, e, lib, c.sc, c.nc)
				if err == nil {
					t.Error("accepted")
				}
				if c.server != nil && (!errors.Is(err, c.server) || time.Since(start) > 2*time.Second) {
					t.Errorf("%v after %v, want %v", err, time.Since(start), c.server)
				}
				end.Conn.Wait()
			})
			bubble(t, fmt.Sprintf("%s server, RSA %v", name, isRSA), func(t *testing.T) {
				start := time.Now()
				end, conn, err, _ := connect(t, &Link{Latency: time.Millisecond}, e, lib, c.cc, c.nc)
				if err == nil {
					t.Error("accepted")
				}
				if c.client != nil && (!errors.Is(err, c.client) || time.Since(start) > 2*time.Second) {
					t.Errorf("%v after %v, want %v", err, time.Since(start), c.client)
				}
				if conn != nil {
					_ = conn.Close()
				}
				end.Conn.Wait()
			})
		}
	}
}
