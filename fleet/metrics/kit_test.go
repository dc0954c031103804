package metrics

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	base "github.com/sallyport/sallyport/metrics"
	"github.com/sallyport/sallyport/replay"
	"github.com/sallyport/sallyport/transport"
)

// scrape returns what a scraper gets, and how long that took.
func scrape(t testing.TB, accept string, own ...prometheus.Collector) (string, time.Duration) {
	t.Helper()
	return get(t, base.Handler(own...), accept)
}

func get(t testing.TB, h http.Handler, accept string) (string, time.Duration) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	began := time.Now()
	h.ServeHTTP(w, r)
	took := time.Since(began)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	b, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), took
}

// complete returns metrics of which everything has a value.
func complete(t testing.TB) *Metrics {
	t.Helper()
	m, err := New(Config{
		Revocations: func() revocation.Status {
			return revocation.Status{Stale: true, Publishers: []revocation.PublisherStatus{
				{Name: "central", Heard: true, Age: 1500 * time.Millisecond, Applied: 40, Last: 42, Skew: -2 * time.Second},
				{Name: "eu-1"},
				{Name: "gone", Closed: true},
			}, Counts: revocation.SubscriberCounts{Unknown: 1, Forged: 2, Malformed: 3, Old: 4, Forbidden: 5, Forks: 6, Overflow: 7}}
		},
		Publisher: func() revocation.PublisherStats {
			return revocation.PublisherStats{Records: 11, Bytes: 12, Queued: 13, Refused: 14, Unstored: 15}
		},
		Certificates: map[string]func() (time.Time, time.Time){
			"dtls": func() (time.Time, time.Time) {
				return time.UnixMilli(1_799_990_000_500), time.UnixMilli(1_800_000_000_500)
			},
			"none": func() (from, until time.Time) { return from, until },
		},
		Exemplars: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Exchange(exchange(transport.OutcomeOK))
	m.ObservePoll(3 * time.Millisecond)
	m.RevocationApplied(time.Now())
	m.AdminCall("listSessions", 200, 7*time.Millisecond)
	m.look(counted{received: 100, lost: 1, sent: 50}, transport.PlayerStats{Received: 190, Lost: 11, Sent: 150, LostOut: 3, Rate: 100_000, RTT: 40 * time.Millisecond, Jitter: time.Millisecond})
	return m
}

// exchange is a sign-in with an outcome.
func exchange(outcome string) transport.Exchange {
	now := time.Now()
	return transport.Exchange{Trace: transport.TraceID{0xab}, Steps: []transport.Step{
		{Kind: transport.StepHandshake, Start: now, End: now.Add(30 * time.Millisecond), Outcome: transport.OutcomeOK},
		{Kind: transport.StepSignIn, Start: now, End: now.Add(60 * time.Millisecond), Outcome: outcome},
		{Kind: transport.StepVerification, Start: now, End: now.Add(40 * time.Millisecond), Outcome: outcome},
	}}
}

// crowded returns a server with so many live sessions: another process has left them.
func crowded(t testing.TB, players int, configure func(*transport.Config)) *transport.Server {
	t.Helper()
	keys := testkit.Ring(t)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close() //nolint:errcheck // it has never been read
	address := conn.LocalAddr().String()
	var file bytes.Buffer
	w, err := resume.NewWriter(&file, keys, time.Now(), rand.Reader)
	if err == nil {
		err = w.For(netip.MustParseAddrPort(address))
	}
	for n := 0; n < players && err == nil; n++ {
		err = w.Add(handedOn(n))
	}
	if err == nil {
		err = w.Close()
	}
	path := filepath.Join(t.TempDir(), "snapshot")
	if err == nil {
		err = os.WriteFile(path, file.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	config := transport.Config{
		Certificate: *testkit.NewAuthority(t).Server(t), Verifier: testkit.NewIssuer(t).Verifier(t), Snapshot: path, Shards: 1,
	}
	config.Session.FleetKeys, config.Session.MaxSessions = keys, players
	if configure != nil {
		configure(&config)
	}
	s, err := transport.Listen(address, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // nobody waits for it
	if _, err := s.Poll(transport.Handler{}); err != nil || s.Stats().Sessions != players {
		t.Fatalf("%d sessions, %v", s.Stats().Sessions, err)
	}
	return s
}

// handedOn is a session as a process leaves it.
func handedOn(n int) *resume.Session {
	s := &resume.Session{
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 40000), ConnectionID: uint32(n+1) << 17,
		InKey: make([]byte, 16), InIV: make([]byte, 4), OutKey: make([]byte, 16), OutIV: make([]byte, 4),
		RecordNext: 1000, Records: new(replay.Make(0)), Window: new(replay.Make(0)),
		ID: uint32(n + 1), Binding: wire.BindingExporter, Platform: "linux", Build: "1", Issuer: "https://issuer", Subject: fmt.Sprint("player ", n),
		Sequence: 1000, Accepted: 900, Epoch: 1,
		Standing: resume.Standing{Expires: time.Now().Add(time.Hour).UnixMilli(), TokenID: fmt.Sprint(n), KeyID: "key-1"},
	}
	s.Network = netip.PrefixFrom(s.Addr.Addr(), 32)
	for _, b := range [][]byte{s.InKey, s.OutKey, s.Name[:], s.Exporter[:], s.In[:], s.Out[:]} {
		_, _ = rand.Read(b) // never fails
	}
	for seq := range uint64(1000) {
		s.Records.Accept(seq)
		s.Window.Accept(seq)
	}
	return s
}
