package transport

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/replay"
)

// handedOn is a session as a process leaves it, with names as Amazon Cognito's.
func handedOn(n int) *resume.Session {
	uuid := func(kind int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }
	r := &resume.Session{
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 40000), ConnectionID: uint32(n+1) << 17,
		InKey: make([]byte, 16), InIV: make([]byte, 4), OutKey: make([]byte, 16), OutIV: make([]byte, 4),
		RecordNext: 1000, Records: new(replay.Make(0)), Window: new(replay.Make(0)),
		ID: uint32(n + 1), Binding: wire.BindingExporter, Reports: true, Platform: "linux", Build: "1.4.2",
		Issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123", Subject: uuid(1), Scope: "match-7",
		Sequence: 1000, Accepted: 900, Epoch: 1,
		Standing: resume.Standing{Expires: time.Now().Add(time.Hour).UnixMilli(), TokenID: uuid(2), SignIn: uuid(3), KeyID: "key-1"},
	}
	r.Network = prefixOf(udp.Flow{AddrPort: r.Addr})
	for _, b := range [][]byte{r.InKey, r.OutKey, r.Name[:], r.Exporter[:], r.In[:], r.Out[:]} {
		_, _ = rand.Read(b) // never fails
	}
	for seq := range uint64(1000) {
		r.Records.Accept(seq)
		r.Window.Accept(seq)
	}
	return r
}

// "10,000 sessions snapshot and restore in ≤ 1 s, ≤ 512 bytes each": from Shutdown's
// first turn to the file, and from the file to the last Join. Else it fails.
func BenchmarkHandOver(b *testing.B) {
	const players = 10_000
	keys := testkit.Ring(b)
	path := filepath.Join(b.TempDir(), "snapshot")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	conn.Close()
	address := conn.LocalAddr().String()
	w, err := resume.NewWriter(f, keys, time.Now(), rand.Reader)
	if err == nil {
		err = w.For(netip.MustParseAddrPort(address))
	}
	for n := range players {
		if err == nil {
			err = w.Add(handedOn(n))
		}
		used := resume.Remembered{Key: uint64(n) << 32, Why: 1, Expires: time.Now().Add(time.Hour).UnixMilli()}
		if err == nil {
			err = w.Remember(used)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil || f.Close() != nil {
		b.Fatal(err)
	}
	authority, issuer := testkit.NewAuthority(b), testkit.NewIssuer(b)
	config := Config{Certificate: *authority.Server(b), Verifier: issuer.Verifier(b), Snapshot: path}
	config.Session.FleetKeys, config.Session.MaxSessions = keys, players
	var restore, save time.Duration
	for b.Loop() {
		start := time.Now()
		s, err := Listen(address, config)
		if err != nil {
			b.Fatal(err)
		}
		joined := 0
		if _, err := s.Poll(Handler{Join: func(*Player) { joined++ }}); err != nil || joined != players {
			b.Fatalf("%d of %d joined, %v", joined, players, err)
		}
		restore += time.Since(start)
		start = time.Now()
		if err := s.Shutdown(b.Context()); err != nil {
			b.Fatal(err)
		}
		save += time.Since(start)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	// A single one, as `make test` runs it beside other modules' tests, says nothing of the time.
	if each := (restore + save) / time.Duration(b.N); b.N > 1 && each > time.Second || info.Size() > 512*players {
		b.Errorf("%v, %d bytes a session", each, info.Size()/players)
	}
	b.ReportMetric(float64(info.Size())/players, "bytes/session")
	b.ReportMetric(float64(restore.Milliseconds())/float64(b.N), "ms-restore")
	b.ReportMetric(float64(save.Milliseconds())/float64(b.N), "ms-save")
}
