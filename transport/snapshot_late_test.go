package transport

import (
	"context"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// otherPort is not where the server was.
var otherPort = netip.AddrPortFrom(serverAddr.Addr(), serverAddr.Port()+1)

// "Sessions are good for 30 s, on the address that they are for." docs/fleet.md 8.4
// "Used tokens and tickets, ended sessions, revocations and bans are remembered as long as each has
// to be, whatever the age of the snapshot" docs/fleet.md 8.4. So no restart lets in who was put
// out, however long it takes, and a file that was read does not read as new.
func TestSnapshotOutlived(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pause    time.Duration
		at       netip.AddrPort
		spoil    func(t *testing.T, path string)
		why      string // the sessions are refused
		sessions int
	}{
		"in time":             {pause: 5 * time.Second, sessions: 1},
		"late":                {pause: 31 * time.Second, why: "too old"},
		"much later":          {pause: 10 * time.Minute, why: "too old"},
		"on another address":  {pause: time.Second, at: otherPort, why: "another address"},
		"ids cannot be read":  {pause: time.Second, spoil: func(t *testing.T, path string) { folder(t, path+".taken") }, why: "not a regular file"},
		"ids of another time": {pause: time.Second, spoil: func(t *testing.T, path string) { write(t, path+".taken", make([]byte, 3*takenLen+1)) }, sessions: 1},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				fleet, path := w.fleet(t), ""
				r := w.run(fleet, func(c *Config) { path = c.Snapshot })
				raw := map[int][]byte{}
				with := func(n int) func(*ClientConfig) {
					if raw[n] == nil {
						raw[n] = []byte(w.issuer.Token(w, grantFor(n)))
					}
					return func(c *ClientConfig) {
						c.Token = func(context.Context) ([]byte, error) { return raw[n], nil }
					}
				}
				stays := w.stay(0, with(0), quietClient)
				left := w.join(1, with(1))
				time.Sleep(time.Second)
				left.Close()
				issuer := w.match.player(0).Session().Issuer()
				raw[2] = []byte(w.issuer.Token(w, grantFor(2)))
				if _, err := r.Revoke(session.Revocation{Kind: session.RevokeSubject, Issuer: issuer, Value: "player 2"}); err != nil {
					t.Fatal(err)
				}
				if _, err := r.Ban(session.Ban{Issuer: issuer, Subject: "player 3", Until: time.Now().Add(time.Hour)}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				w.end(r, r.shutdown)
				copied := read(t, path)
				if c.spoil != nil {
					c.spoil(t, path)
				}
				time.Sleep(c.pause)
				other := func(config *Config) {
					if c.at.IsValid() {
						config.Conn.Close()
						config.Conn = w.socket(c.at)
					}
				}
				r = w.run(fleet, other)
				time.Sleep(100 * time.Millisecond)
				if n := r.Stats().Sessions; n != c.sessions {
					t.Errorf("%d sessions, want %d", n, c.sessions)
				}
				if c.why != "" {
					w.refusedSnapshot("the sessions of a snapshot were refused: ", c.why)
				} else if n := w.audits(audit.Reject); n != 0 {
					t.Errorf("%d refusals are on record", n)
				}
				for n, want := range map[int]wire.Reason{0: wire.ReasonUsed, 1: wire.ReasonUsed, 2: wire.ReasonRevoked} {
					_, err := w.try(20+n, with(n))
					w.closed(err, want)
				}
				if c, err := w.try(3); err == nil {
					t.Error("who is banned is in again")
					c.Close()
				}
				if c, err := w.try(4); err != nil {
					t.Errorf("an honest newcomer: %v", err)
				} else {
					c.Close()
				}
				stays.quit()
				w.end(r, r.Close)

				if c.spoil == nil {
					write(t, path, copied) // whatever came of it: once
					r = w.run(fleet)
					w.refusedSnapshot("a snapshot was refused: ", "taken before")
					w.end(r, r.Close)
				}
			})
		})
	}
}

// "The successor MUST leave out a session whose client its socket cannot reach, as one with IPv6 where
// it listens on IPv4 alone: the client comes back by ticket." docs/fleet.md 8.4. The others go on.
func TestSnapshotOutOfReach(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		fleet := w.fleet(t)
		r := w.run(fleet)
		players := w.stayAll(2)
		time.Sleep(time.Second)
		w.end(r, r.shutdown)
		w.serving.Wait()
		s := w.listen(fleet)
		if n := len(s.handover.restored); n != 2 {
			t.Fatalf("%d sessions in the snapshot", n)
		}
		for _, session := range s.handover.restored {
			if session.Addr == playerAddr(1) {
				session.Addr = netip.MustParseAddrPort("[2001:db8::1]:1000")
			}
		}
		w.serving.Go(func() { w.served = s.Serve(w.match.handler()) })
		time.Sleep(100 * time.Millisecond)
		if st := s.Stats(); st.Sessions != 1 || st.Refusals["ticket"] != 1 {
			t.Errorf("%+v", st)
		}
		w.refusedSnapshot("of a snapshot", "")
		time.Sleep(3 * time.Second)
		for n, s := range players {
			if got := s.Stats().Resumed; got != uint64(n) {
				t.Errorf("player %d came back by ticket %d times", n, got)
			}
			s.quit()
		}
	})
}

func folder(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// A server gets the datagrams of one that has listened on the same address, written in whatever way.
func TestSameAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1:7777", "192.0.2.1:7777", true},
		{"192.0.2.1:7777", "192.0.2.1:7778", false},
		{"192.0.2.1:7777", "192.0.2.2:7777", false},
		{"192.0.2.1:7777", "[::ffff:192.0.2.1]:7777", true},
		{"0.0.0.0:7777", "[::]:7777", true},
		{"0.0.0.0:7777", "[::]:7778", false},
		{"0.0.0.0:7777", "192.0.2.1:7777", false},
		{"[fe80::1%eth0]:7777", "[fe80::1]:7777", true},
		{"[2001:db8::1]:7777", "[2001:db8::2]:7777", false},
	} {
		a, b := netip.MustParseAddrPort(c.a), netip.MustParseAddrPort(c.b)
		if sameAddress(a, b) != c.same || sameAddress(b, a) != c.same {
			t.Errorf("%v, %v: want %v", a, b, c.same)
		}
	}
	if !sameAddress(netip.AddrPort{}, netip.AddrPort{}) || sameAddress(netip.AddrPort{}, serverAddr) {
		t.Error("a socket without an address is like another one without, and like no other")
	}
}

// The list of ids is bounded, the newest first, and each stays in it for takenLife.
func TestTakenList(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "taken")
	begin := time.Now().Truncate(time.Millisecond)
	id := func(n int) *resume.Snapshot {
		return &resume.Snapshot{ID: [16]byte{byte(n), byte(n >> 8), 1}, Made: begin}
	}
	for n := range maxTaken + 2 {
		if n > 2 && n < maxTaken-2 {
			continue
		}
		if n == maxTaken-2 { // those between at once
			list := read(t, path)
			for k := 3; k < n; k++ {
				s := id(k)
				list = append(binary.BigEndian.AppendUint64(s.ID[:], uint64(s.Made.UnixMilli())), list...)
			}
			write(t, path, list)
		}
		if err := remember(path, id(n), begin); err != nil {
			t.Fatal(n, err)
		}
	}
	if n := len(read(t, path)); n != maxTaken*takenLen {
		t.Errorf("%d bytes", n)
	}
	if err := remember(path, id(maxTaken+1), begin.Add(takenLife)); err != errTakenBefore {
		t.Errorf("the newest: %v", err)
	}
	if err := remember(path, id(2), begin.Add(takenLife)); err != errTakenBefore {
		t.Errorf("one of those that there is room for: %v", err)
	}
	if err := remember(path, id(2), begin.Add(takenLife+time.Millisecond)); err != nil || len(read(t, path)) != takenLen {
		t.Errorf("when all have had their time: %v", err)
	}
}
