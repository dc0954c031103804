package resume

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/replay"
)

// sampleSession is a player as one comes from Amazon Cognito; every other one by IPv6, with 256-bit keys and a client
// certificate, every fourth in binding mode none, every tenth in the middle of a renewal.
func sampleSession(n int) *Session {
	keyLen := 16 + n%2*16
	s := &Session{
		Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 40000), ConnectionID: uint32(n), Reports: n%3 == 0,
		InKey: counting(1, keyLen), InIV: counting(2, 4), OutKey: counting(3, keyLen), OutIV: counting(4, 4),
		RecordNext: 1 << 20, RecordFailed: 3, Records: new(replay.Make(replay.DefaultSize)), ID: uint32(n + 1),
		Name: [16]byte(counting(5, 16)), Binding: wire.BindingExporter, Exporter: [32]byte(counting(6, 32)),
		Network: netip.MustParsePrefix("192.0.2.0/24"), Platform: "linux", Build: "1.4.2",
		Issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123", Subject: uuid(n), Scope: "match-7",
		Sequence: 1 << 20, Accepted: 1 << 19, Window: new(replay.Make(replay.DefaultSize)), Standing: sampleStanding(n), Epoch: 9,
		In: [16]byte(counting(7, 16)), Out: [16]byte(counting(8, 16)),
	}
	for seq := range uint64(1000) {
		if seq%17 != 0 {
			s.Records.Accept(seq)
			s.Window.Accept(seq)
		}
	}
	if n%3 > 0 {
		s.Local = netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})
	}
	if n%6 == 5 {
		s.Local = netip.MustParseAddr("2001:db8::1")
	}
	if n%2 == 1 {
		s.Addr = netip.MustParseAddrPort("[2001:db8::7]:40000")
		s.Network = netip.MustParsePrefix("2001:db8::/56")
		s.HasCertificate, s.Thumbprint, s.Bound = true, [32]byte(counting(9, 32)), n%4 == 1
	}
	if n%4 == 3 {
		s.Binding, s.Exporter = wire.BindingNone, [32]byte{}
	}
	if n%6 == 5 {
		s.StepUp, s.Confined = uint8(n%5+1), n%12 == 5
	}
	if n%10 == 8 {
		s.Ends = s.Standing.Expires + int64(n)
	}
	if n%10 == 9 {
		s.Next = &NextEpoch{[32]byte(counting(10, 32)), [32]byte(counting(11, 32)), sampleStanding(n + 1)}
	}
	return s
}

func sampleSessions(n int) (list []*Session) {
	for i := range n {
		list = append(list, sampleSession(i))
	}
	return list
}

func uuid(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-1a2b3c4d5e6f", n) }

func sampleStanding(n int) Standing {
	return Standing{begin.Add(tokenLife).UnixMilli(), begin.UnixMilli(), uuid(n + 1<<20), uuid(n + 1<<21), strings.Repeat("k", 44), "\x01\x01\x00\x05alice\x02\x00"}
}

// written is what a reader has of s: of the windows, the newest numbers.
func written(t testing.TB, s *Session) *Session {
	t.Helper()
	c := *s
	for _, w := range []**replay.Window{&c.Records, &c.Window} {
		parsed, _, err := replay.ParseState((*w).AppendTo(nil, newestSeen))
		if err != nil {
			t.Fatal(err)
		}
		*w = &parsed
	}
	return &c
}

// What no live session is like is not written, and the file goes on without it.
func TestSnapshotIncoherent(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	long := strings.Repeat("x", maxText+1)
	var file bytes.Buffer
	w, err := NewWriter(&file, ring, begin, bytes.NewReader(counting(1, 16)))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Session){
		"key of 17":      func(s *Session) { s.InKey = counting(1, 17) },
		"keys differ":    func(s *Session) { s.OutKey = counting(1, 32) },
		"IV of 5":        func(s *Session) { s.OutIV = counting(1, 5) },
		"no window":      func(s *Session) { s.Window = nil },
		"no records":     func(s *Session) { s.Records = nil },
		"no address":     func(s *Session) { s.Addr = netip.AddrPort{} },
		"zone":           func(s *Session) { s.Addr = netip.MustParseAddrPort("[fe80::1%eth0]:1") },
		"local zone":     func(s *Session) { s.Local = netip.MustParseAddr("fe80::1%eth0") },
		"id 0":           func(s *Session) { s.ID = 0 },
		"epoch 0":        func(s *Session) { s.Epoch = 0 },
		"binding":        func(s *Session) { s.Binding = 2 },
		"issuer":         func(s *Session) { s.Issuer = "" },
		"subject":        func(s *Session) { s.Subject = "" },
		"long subject":   func(s *Session) { s.Subject = long },
		"long build":     func(s *Session) { s.Build = long },
		"no token id":    func(s *Session) { s.Standing.TokenID = "" },
		"long sign-in":   func(s *Session) { s.Standing.SignIn = long },
		"no expiry":      func(s *Session) { s.Standing.Expires = 0 },
		"issued below 0": func(s *Session) { s.Standing.Issued = -1 },
		"ends below 0":   func(s *Session) { s.Ends = -1 },
		"no next expiry": func(s *Session) { s.Next = new(NextEpoch) },
	} {
		s := sampleSession(0)
		change(s)
		if err := w.Add(s); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := sampleSession(9)
	longest.Subject, longest.Build = long[1:], long[1:]
	longest.Window, longest.Records = new(replay.Make(replay.MaxSize)), new(replay.Make(replay.MinSize))
	if err := errors.Join(w.Add(longest), w.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := Read(&file, ring, begin)
	if err != nil || len(f.Sessions) != 1 || !reflect.DeepEqual(f.Sessions[0], written(t, longest)) {
		t.Errorf("%+v, %v", f, err)
	}
	longest.Wipe()
	for _, b := range [][]byte{longest.InKey, longest.OutKey, longest.Exporter[:], longest.In[:], longest.Out[:], longest.Next.Secret[:]} {
		if len(bytes.Trim(b, "\x00")) > 0 {
			t.Errorf("%x is still there", b)
		}
	}
}
