package filter

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/transport"
)

const (
	vlan = 0x8100
	qinq = 0x88a8
)

// cases are packets, and what the program has to make of each while the server knows player4 and player6.
var cases = []struct {
	name string
	frame
	want Verdict
}{
	{"a player", frame{from: player4, payload: recordWith(playerID, 50)}, PassPeer},
	{"a player by IPv6", frame{from: player6, payload: recordWith(playerID, 50)}, PassPeer},
	{"a player's PING without a connection id", frame{from: player4, payload: recordWith(1, 0)}, PassPeer},
	{"a player's alert", frame{from: player4, payload: []byte{21, 0xfe, 0xfd}}, PassPeer},
	{"a player's handshake", frame{from: player4, payload: hello()}, PassPeer},
	{"a player's datagram of no bytes", frame{from: player4}, PassPeer},
	{"a player's with a VLAN tag", frame{from: player4, tags: []uint16{vlan}, payload: recordWith(playerID, 1)}, PassPeer},
	{"with two", frame{from: player6, tags: []uint16{qinq, vlan}, payload: recordWith(playerID, 1)}, PassPeer},
	{"with options of IPv4", frame{from: player4, options: 1, payload: hello()}, PassPeer},
	{"with as many as there can be", frame{from: player4, options: 10, payload: hello()}, PassPeer},
	{"with an extension header of IPv6", frame{from: player6, extensions: []byte{unix.IPPROTO_HOPOPTS}, payload: hello()}, PassPeer},
	{"with all kinds of them", frame{from: player6, extensions: []byte{0, 43, 60, 51, 44, 60}, payload: hello()}, PassPeer},

	{"a stranger's data", frame{from: other4, payload: recordWith(0x1234567, 50)}, DropStranger},
	{"by IPv6", frame{from: other6, payload: recordWith(0x1234567, 50)}, DropStranger},
	{"with a VLAN tag", frame{from: other4, tags: []uint16{vlan}, payload: recordWith(0x1234567, 50)}, DropStranger},
	{"with two tags", frame{from: other6, tags: []uint16{qinq, vlan}, payload: recordWith(0x1234567, 50)}, DropStranger},
	{"with options", frame{from: other4, options: 10, payload: recordWith(0x1234567, 50)}, DropStranger},
	{"with extension headers", frame{from: other6, extensions: []byte{0, 43, 60, 51, 44, 60}, payload: recordWith(0x1234567, 50)}, DropStranger},
	{"the player's host from another port", frame{from: netip.AddrPortFrom(player4.Addr(), 1), payload: recordWith(0x1234567, 50)}, DropStranger},
	{"the player's neighbour", frame{from: netip.AddrPortFrom(player4.Addr().Next(), player4.Port()), payload: recordWith(0x1234567, 50)}, DropStranger},
	{"no bytes", frame{from: other4}, DropStranger},
	{"no bytes, and the frame filled up", frame{from: other4, payload: make([]byte, 18), length: -18}, DropStranger},
	{"a UDP length of less than its header", frame{from: other4, payload: hello(), length: -208}, DropStranger},

	{"a known connection id from elsewhere", frame{from: other4, payload: recordWith(playerID, 50)}, PassRoamer},
	{"by IPv6, too", frame{from: other6, payload: recordWith(playerID, 0)}, PassRoamer},
	{"its record number is another one", frame{from: other4, payload: with(recordWith(playerID, 50), 20, 0x35)}, DropStranger},
	{"too short for a record", frame{from: other4, payload: recordWith(playerID, 0)[:36]}, DropStranger},
	{"too short as UDP says", frame{from: other4, payload: recordWith(playerID, 0), length: -1}, DropStranger},
	{"of another type", frame{from: other4, payload: with(recordWith(playerID, 50), 0, 21)}, DropStranger},
	{"no connection id: the nonce of DTLS epoch 1", frame{from: other4, payload: recordWith(0x00010000, 50)}, DropStranger},
	{"an unknown one", frame{from: other4, payload: recordWith(playerID+1, 50)}, DropStranger},

	{"a ClientHello", frame{from: other4, payload: hello()}, PassHello},
	{"a ClientHello by IPv6", frame{from: other6, payload: hello()}, PassHello},
	{"ChangeCipherSpec", frame{from: other4, payload: []byte{20, 0xfe, 0xfd}}, PassHello},
	{"of one byte", frame{from: other4, payload: []byte{22}}, PassHello},
	{"of the player's host", frame{from: netip.AddrPortFrom(player4.Addr(), 1), payload: hello()}, PassHost},
	{"of the player's /64", frame{from: netip.MustParseAddrPort("[2001:db8:5:6::1]:1"), payload: hello()}, PassHost},
	{"of another /64", frame{from: netip.MustParseAddrPort("[2001:db8:5:7::1]:1"), payload: hello()}, PassHello},

	{"a RETURN", frame{from: other4, payload: append([]byte{11, 1}, hello()...)}, PassReturn},
	{"a RETURN of the player's host", frame{from: netip.AddrPortFrom(player4.Addr(), 1), payload: append([]byte{11, 1}, hello()...)}, PassHost},

	{"a first fragment with handshake", frame{from: other4, fragment: -1, payload: hello()}, PassHello},
	{"a first fragment without", frame{from: other4, fragment: -1, payload: recordWith(1, 9)}, DropStranger},
	{"a first fragment of the UDP header alone", frame{from: other4, fragment: -1, length: 100}, DropStranger},
	{"the same of a player's", frame{from: player4, fragment: -1, length: 100}, PassPeer},
	{"a later fragment", frame{from: other4, fragment: 3, payload: hello()}, PassFragment},
	{"a later fragment of IPv6", frame{from: other6, fragment: 3, extensions: []byte{unix.IPPROTO_FRAGMENT}, payload: hello()}, PassFragment},
	{"a first one of IPv6", frame{from: other6, extensions: []byte{unix.IPPROTO_FRAGMENT}, payload: recordWith(1, 9)}, DropStranger},
	{"a chain of seven headers", frame{from: other6, extensions: slices.Repeat([]byte{60}, 7), payload: hello()}, DropChain},

	{"another port", frame{from: other4, port: 53, payload: recordWith(1, 9)}, PassOther},
	{"another port by IPv6", frame{from: other6, port: 7778, payload: recordWith(1, 9)}, PassOther},
	{"TCP", frame{from: other4, protocol: unix.IPPROTO_TCP, payload: hello()}, PassOther},
	{"TCP by IPv6", frame{from: other6, protocol: unix.IPPROTO_TCP, payload: hello()}, PassOther},
	{"ICMP", frame{from: other4, protocol: unix.IPPROTO_ICMP, payload: hello()}, PassOther},
	{"ICMPv6", frame{from: other6, protocol: unix.IPPROTO_ICMPV6, payload: hello()}, PassOther},
	{"three tags", frame{from: other4, tags: []uint16{qinq, vlan, vlan}, payload: recordWith(1, 9)}, PassOther},
	{"a UDP header that is cut short", frame{from: other4, cut: 1}, PassOther},
	{"an IPv6 header that is cut short", frame{from: other6, cut: 9}, PassOther},
}

func with(b []byte, at int, value byte) []byte {
	b = slices.Clone(b)
	b[at] = value
	return b
}

// "Everything but UDP datagrams to a filtered port passes" doc.go, and the others are judged in its
// order.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	tryVerdicts(t, newBench(t))
}

func tryVerdicts(t *testing.T, b *bench) {
	t.Helper()
	b.knows(player4)
	b.feed.Peers([]transport.Peer{{Addr: player6, ConnectionID: 0xdeadbeef, For: time.Minute}})
	for _, c := range cases {
		if got := b.judge(c.bytes()); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Frames that are cut short anywhere, and of every type, pass if they are no datagram to the port, and never harm the kernel.
func TestShortFrames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.knows(player4)
	for _, f := range []frame{
		{from: other4, payload: recordWith(1, 9)},
		{from: other6, extensions: []byte{0, 43, 60}, payload: recordWith(1, 9)},
		{from: other4, tags: []uint16{vlan}, options: 3, payload: recordWith(1, 9)},
	} {
		whole := f.bytes()
		headers := len(whole) - len(f.payload)
		for n := 14; n <= len(whole); n++ {
			want := DropStranger
			if n < headers {
				want = PassOther
			}
			if got := b.judge(whole[:n]); got != want {
				t.Errorf("%d of %d bytes: %v, want %v", n, len(whole), got, want)
			}
		}
	}
	for _, kind := range []string{"\x08\x06", "\x88\xcc", "\x88\x64", "\x00\x20"} { // ARP, LLDP, PPPoE, a length
		if got := b.judge([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x02" + kind + strings.Repeat("\x00", 46))); got != PassOther {
			t.Errorf("type %x: %v", kind, got)
		}
	}
	for _, first := range []byte{0x55, 0x44, 0x00} { // not version 4, or a header that is too short
		bad := frame{from: other4, payload: recordWith(1, 9)}.bytes()
		bad[14] = first
		if got := b.judge(bad); got != PassOther {
			t.Errorf("first byte of IP %x: %v", first, got)
		}
	}
}

// Of a stranger, each first byte but those of a handshake is dropped.
func TestFirstBytes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.knows(player4)
	for first := range 256 {
		want := DropStranger
		if first == 20 || first == 22 {
			want = PassHello
		}
		if first == ReturnByte {
			want = PassReturn
		}
		if got := b.judge(frame{from: other4, payload: with(recordWith(1, 9), 0, byte(first))}.bytes()); got != want {
			t.Errorf("%d: %v, want %v", first, got, want)
		}
	}
}

// "The server says nothing: passes, whatever it is."
func TestNoBeat(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	junk := frame{from: other4, payload: recordWith(1, 9)}.bytes()
	expect := func(when string, want Verdict) {
		t.Helper()
		if got := b.judge(junk); got != want {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	expect("before the server has said anything", PassOpen)
	b.feed.Peers(nil)
	expect("while it lives", DropStranger)
	beat := func(ago time.Duration) {
		t.Helper()
		if err := b.feed.maps.beat(localPort, monotonic()-uint64(ago)); err != nil {
			t.Fatal(err)
		}
	}
	beat(2 * time.Second)
	expect("2 s after its last word", DropStranger)
	beat(4 * time.Second)
	expect("4 s after it", PassOpen)
	beat(-time.Minute)
	expect("with a clock that is a minute ahead", PassOpen)
	b.feed.Peers(nil)
	expect("when it speaks again", DropStranger)
	if err := b.feed.Close(); err != nil {
		t.Fatal(err)
	}
	expect("after Close", PassOpen)
}

// What is known is so for as long as the server has said, and until it says that it is gone.
func TestKnownFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	from := frame{from: player4, payload: recordWith(0x1234567, 9)}.bytes()
	elsewhere := frame{from: other4, payload: recordWith(playerID, 9)}.bytes()
	for _, c := range []struct {
		name          string
		changes       []transport.Peer
		address, hint Verdict
	}{
		{"nobody", nil, DropStranger, DropStranger},
		{"an address alone", []transport.Peer{{Addr: player4, For: time.Minute}}, PassPeer, DropStranger},
		{"with a connection id", []transport.Peer{{Addr: player4, ConnectionID: playerID, For: time.Minute}}, PassPeer, PassRoamer},
		{"the id goes, somebody else has the address", []transport.Peer{{ConnectionID: playerID}}, PassPeer, DropStranger},
		{"in IPv6 form", []transport.Peer{{Addr: player4}, {Addr: netip.AddrPortFrom(netip.AddrFrom16(player4.Addr().As16()), player4.Port()), ConnectionID: playerID, For: time.Minute}}, PassPeer, PassRoamer},
		{"both go", []transport.Peer{{Addr: player4, ConnectionID: playerID}}, DropStranger, DropStranger},
		{"gone and come within one call", []transport.Peer{{Addr: player4, ConnectionID: playerID, For: time.Minute}, {Addr: player4, ConnectionID: playerID}, {Addr: player4, ConnectionID: playerID, For: time.Minute}}, PassPeer, PassRoamer},
		{"come and gone within one", []transport.Peer{{Addr: player4, ConnectionID: playerID, For: time.Minute}, {Addr: player4, ConnectionID: playerID}}, DropStranger, DropStranger},
		{"for a nanosecond", []transport.Peer{{Addr: player4, ConnectionID: playerID, For: 1}}, DropStranger, DropStranger},
	} {
		b.feed.Peers(c.changes)
		time.Sleep(20 * time.Millisecond) // the program's clock goes by a few ms
		if got := b.judge(from); got != c.address {
			t.Errorf("%s: the address: %v, want %v", c.name, got, c.address)
		}
		if got := b.judge(elsewhere); got != c.hint {
			t.Errorf("%s: the connection id: %v, want %v", c.name, got, c.hint)
		}
	}
}

// spend judges a frame until the verdict is another one than pass, and returns how often it was pass, and the other one.
func (b *bench) spend(f frame, pass Verdict) (n int, then Verdict) {
	b.Helper()
	raw := f.bytes()
	for n = range 100_000 {
		if then = b.judge(raw); then != pass {
			return n, then
		}
	}
	b.Fatalf("%v has no end", pass)
	return n, then
}

// Budgets: of all unknown addresses, of one network, of one host, of one connection id. Each is spent without the others, and who
// is known has none.
func TestBudgets(t *testing.T) {
	t.Parallel()
	returns := append([]byte{11, 1}, hello()...)
	type spent struct {
		name string
		frame
		pass   Verdict
		atOnce int
		then   Verdict
	}
	for _, c := range []struct {
		name      string
		configure func(*Config)
		rate      int // the highest
		spends    []spent
	}{
		{"all together", func(c *Config) { c.Hellos, c.Returns, c.Source = 100, 50, 1000 }, 100, []spent{
			{"handshakes", frame{from: other6, payload: hello()}, PassHello, 20, DropHellos},
			{"from anywhere", frame{from: other4, payload: hello()}, PassHello, 0, DropHellos},
			{"with proof of the address", frame{from: other6, payload: returns}, PassReturn, 20, DropReturns},
		}},
		{"each", func(c *Config) { c.Source, c.Host, c.Roamer = 40, 2, 30 }, 40, []spent{
			{"a network", frame{from: other4, payload: hello()}, PassHello, 20, DropSource},
			{"its neighbour's address, the same /24", frame{from: netip.MustParseAddrPort("203.0.113.99:1"), payload: hello()}, PassHello, 0, DropSource},
			{"with proof of the address", frame{from: other4, payload: returns}, PassReturn, 20, DropSource},
			{"a connection id", frame{from: other4, payload: recordWith(playerID, 9)}, PassRoamer, 30, DropRoamer},
			{"a known host, then what everybody has", frame{from: netip.AddrPortFrom(player4.Addr(), 9), payload: hello()}, PassHost, 6, PassHello},
			{"another /24", frame{from: netip.MustParseAddrPort("203.0.114.9:1"), payload: hello()}, PassHello, 20, DropSource},
			{"a /48", frame{from: other6, payload: hello()}, PassHello, 80, DropSource},
		}},
	} {
		b := newBench(t, c.configure)
		b.knows(player4)
		start := time.Now()
		for _, s := range c.spends {
			n, then := b.spend(s.frame, s.pass)
			more := 3 + int(time.Since(start)*time.Duration(4*c.rate)/time.Second) // what has come back meanwhile, of a /48 four times as much
			if n < s.atOnce-more || n > s.atOnce+more || then != s.then {
				t.Errorf("%s, %s: %d passed at once, want %d; then %v, want %v", c.name, s.name, n, s.atOnce, then, s.then)
			}
		}
		for range 300 {
			if got := b.judge(frame{from: player4, payload: hello()}.bytes()); got != PassPeer {
				t.Fatalf("a player: %v", got)
			}
		}
	}
}

// A budget comes back at its rate, no sooner.
func TestBudgetsComeBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Source = 100 })
	b.knows(player4)
	f := frame{from: other4, payload: hello()}
	b.spend(f, PassHello)
	start := time.Now()
	for passed := 0; passed < 30; {
		if b.judge(f.bytes()) != PassHello {
			if time.Since(start) > 10*time.Second {
				t.Fatalf("%d have passed within 10 s", passed)
			}
			continue
		}
		passed++
		if most := int(time.Since(start)*100/time.Second) + 3; passed > most {
			t.Fatalf("%d within %v, want %d at most", passed, time.Since(start), most)
		}
	}
}

// Only the addresses that are named are the server's: what the host forwards passes. Those that the program before was
// loaded for are not.
func TestAddresses(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Addresses = []netip.Addr{server4, server6} })
	b.knows(player4)
	junk := recordWith(1, 9)
	judged := func(when string, by6 Verdict) {
		t.Helper()
		for _, c := range []struct {
			f    frame
			want Verdict
		}{
			{frame{from: other4, payload: junk}, DropStranger},
			{frame{from: other6, payload: junk}, by6},
			{frame{from: other4, to: server4.Next(), payload: junk}, PassOther},
			{frame{from: other6, to: server6.Next(), payload: junk}, PassOther},
		} {
			if got := b.judge(c.f.bytes()); got != c.want {
				t.Errorf("%s: %v to %v: %v, want %v", when, c.f.from, c.f.to, got, c.want)
			}
		}
	}
	judged("both", DropStranger)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	config := b.config
	config.Addresses = []netip.Addr{server4}
	f, err := Load(config)
	if err != nil {
		t.Fatal(err)
	}
	*b.Filter = *f
	b.knows(player4)
	judged("one of them later", PassOther)
}

// The committed object is what the source makes. Where it is not this clang's version that has made it, what the source makes does the
// same.
func TestObjectIsOfTheSource(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("clang"); err != nil {
		t.Skip("clang is not installed: apt-get install clang llvm")
	}
	made := filepath.Join(t.TempDir(), "filter.bpf.o")
	out, err := exec.Command("./build.sh", made).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) == string(object) {
		return
	}
	version, _ := exec.Command("clang", "-dumpversion").Output()
	if strings.HasPrefix(string(version), clang+".") {
		t.Fatalf("filter.bpf.o is not what clang %s makes of filter.bpf.c: run make filter", version)
	}
	t.Logf("clang %s makes another object than clang %s, which made the committed one: %d bytes, not %d", strings.TrimSpace(string(version)), clang, len(b), len(object))
	tryVerdicts(t, newBenchOf(t, b))
}

// clang is the version that has made the committed object.
const clang = "14"

// doc.go has the limits that the program has.
func TestDocumentedLimits(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("filter.bpf.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MAX_HEADERS = 6", "MAX_TAGS = 2"} {
		if !strings.Contains(string(source), want) {
			t.Errorf("filter.bpf.c has not %s", want)
		}
	}
	for _, f := range []func(*Config){
		func(c *Config) { c.Ports = nil },
		func(c *Config) { c.Ports = []uint16{0} },
		func(c *Config) { c.Stale = time.Second },
		func(c *Config) { c.Peers = -1 },
		func(c *Config) { c.Hellos = -1 },
		func(c *Config) { c.Roamer = 1_000_000_001 },
		func(c *Config) { c.Addresses = []netip.Addr{netip.IPv4Unspecified()} },
	} {
		c := Config{Ports: []uint16{1}}
		f(&c)
		if _, err := Load(c); err == nil || !strings.Contains(err.Error(), ErrConfig.Error()) {
			t.Errorf("%v: %v", fmt.Sprint(c), err)
		}
	}
}
