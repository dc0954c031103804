package natstest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/internal/testkit"
)

func TestMain(m *testing.M) {
	if IsChild() {
		os.Exit(Child())
	}
	os.Exit(m.Run())
}

func connect(t *testing.T, urls string, options ...nats.Option) *nats.Conn {
	t.Helper()
	options = append(options, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := nats.Connect(urls, options...)
		if err == nil {
			t.Cleanup(c.Close)
			return c
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// stream makes a stream with three replicas and returns how to publish to it.
func stream(t *testing.T, c *nats.Conn, replicas int) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Replicas: replicas, AllowDirect: true})
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// A cluster goes on without one of its servers, whose store is there when it is started again; and a
// store that is rolled back has lost what was acknowledged.
func TestCluster(t *testing.T) {
	t.Parallel()
	c, err := StartCluster(t.TempDir(), [6]int(testkit.FreePorts(t, 6)), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := Await(c.URLs()); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, c.URLs()[0]+","+c.URLs()[1]+","+c.URLs()[2])
	js := stream(t, conn, 3)
	publish := func(n string) {
		t.Helper()
		// The leader may be gone with the message, so that nobody answers.
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := js.Publish(ctx, "s."+n, []byte(n), jetstream.WithMsgID(n))
			cancel()
			if err == nil {
				return
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	publish("1")
	began := time.Now()
	if err := c.Kill(0); err != nil {
		t.Fatal(err)
	}
	publish("2")
	t.Logf("published %v after a server was killed", time.Since(began))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	saved := t.TempDir()
	if err := c.Save(saved); err != nil {
		t.Fatal(err)
	}
	if err := c.StartAll(); err != nil {
		t.Fatal(err)
	}
	publish("3")
	has := func(want uint64) {
		t.Helper()
		if err := Await(c.URLs()); err != nil {
			t.Fatal(err)
		}
		var last uint64
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			s, err := js.Stream(t.Context(), "S")
			if err == nil {
				last = s.CachedInfo().State.LastSeq
			} else if want == 0 && errors.Is(err, jetstream.ErrStreamNotFound) {
				return
			}
			if err == nil && last == want {
				return
			}
		}
		t.Errorf("%d messages, want %d", last, want)
	}
	has(3)
	for _, r := range []struct {
		from string
		want uint64
	}{{saved, 2}, {"", 0}} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.Rollback(r.from); err != nil {
			t.Fatal(err)
		}
		if err := c.StartAll(); err != nil {
			t.Fatal(err)
		}
		has(r.want)
	}
}

// A line that is cut is silent, and one that is mended works again. Store and port outlive a server.
func TestLineAndRestart(t *testing.T) {
	t.Parallel()
	config := Config{Dir: t.TempDir(), Name: "one", Port: testkit.FreePorts(t, 1)[0]}
	s, err := StartEmbedded(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	line, err := NewLine(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(line.Close)
	conn := connect(t, line.URLs()[0], nats.PingInterval(100*time.Millisecond), nats.MaxPingsOutstanding(1), nats.Timeout(200*time.Millisecond))
	js := stream(t, conn, 1)
	if _, err := js.Publish(t.Context(), "s.1", nil); err != nil {
		t.Fatal(err)
	}
	line.Cut()
	for end := time.Now().Add(10 * time.Second); conn.IsConnected(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a line that is cut carries pings")
		}
	}
	s.Close()
	line.Mend()
	if s, err = StartEmbedded(config); err != nil {
		t.Fatal(err)
	}
	var sequence uint64
	// What nobody has answered may have been stored.
	for end := time.Now().Add(10 * time.Second); sequence == 0 && time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		if ack, err := js.Publish(ctx, "s.2", nil, jetstream.WithMsgID("2")); err == nil {
			sequence = ack.Sequence
		}
		cancel()
	}
	if sequence != 2 {
		t.Errorf("message %d, want 2", sequence)
	}
	line.Drop()
	for end := time.Now().Add(10 * time.Second); conn.FlushTimeout(time.Second) != nil; {
		if time.Now().After(end) {
			t.Fatal("no connection after the former one was closed")
		}
	}
}

// A server with TLS wants a client certificate.
func TestTLS(t *testing.T) {
	t.Parallel()
	a, dir := testkit.NewAuthority(t), t.TempDir()
	write := func(name string, blocks ...*pem.Block) string {
		path := filepath.Join(dir, name)
		var b []byte
		for _, block := range blocks {
			b = append(b, pem.EncodeToMemory(block)...)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	server := a.Server(t)
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	extra := TLS(write("cert.pem", &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate[0]}),
		write("key.pem", &pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		write("ca.pem", &pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}))
	s, err := StartEmbedded(Config{Dir: t.TempDir(), Name: "one", Extra: extra})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	config := &tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{*a.Client(t, "client")}}
	if err := connect(t, s.URL(), nats.Secure(config)).Flush(); err != nil {
		t.Error(err)
	}
	if c, err := nats.Connect(s.URL(), nats.Secure(&tls.Config{RootCAs: a.Pool()})); err == nil {
		c.Close()
		t.Error("a client without a certificate is connected")
	}
}

// A child that cannot start says so, and one of a program that does not know of children starts no
// other.
func TestBadStart(t *testing.T) {
	bad := Config{Dir: t.TempDir(), Name: "bad", Port: testkit.FreePorts(t, 1)[0], Extra: "nonsense: {"}
	if p, err := StartProcess(bad); err == nil {
		t.Error("started", p.Kill())
	}
	if _, err := StartEmbedded(bad); err == nil {
		t.Error("started")
	}
	t.Setenv(variable, "somewhere")
	if _, err := StartProcess(bad); !errors.Is(err, errNoChild) {
		t.Errorf("%v, want %v", err, errNoChild)
	}
	if _, err := NewLine(fmt.Sprint("127.0.0.1:", 0)); err != nil {
		t.Error("a line asks for its server only when a client does:", err)
	}
}
