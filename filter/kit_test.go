package filter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/transport"
)

// allowed is testkit.AllowBPF, and skips a test of what this kernel lacks, too.
func allowed(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ebpf.ErrNotSupported) {
		t.Skipf("BPF cannot do that here: %v", err)
	}
	testkit.AllowBPF(t, err)
}

// bpffs is a directory in a BPF file system of the test's own, which is not made yet.
func bpffs(t testing.TB) string {
	t.Helper()
	return testkit.BPFDir(t) + "/sallyport"
}

// The addresses of the tests.
const localPort = 7777

var (
	server4 = netip.MustParseAddr("192.0.2.1")
	server6 = netip.MustParseAddr("2001:db8::1")
	player4 = netip.MustParseAddrPort("198.51.100.7:40000")
	player6 = netip.MustParseAddrPort("[2001:db8:5:6:7::8]:40000")
	other4  = netip.MustParseAddrPort("203.0.113.9:40000")
	other6  = netip.MustParseAddrPort("[2001:db8:99::9]:40000")
)

const playerID = 0xc0ffee11

// bench is a loaded filter with a server that feeds it.
type bench struct {
	testing.TB

	*Filter
	feed *Feed
	log  bytes.Buffer
}

func newBench(t testing.TB, configure ...func(*Config)) *bench {
	t.Helper()
	return newBenchOf(t, object, configure...)
}

func newBenchOf(t testing.TB, object []byte, configure ...func(*Config)) *bench {
	t.Helper()
	c := Config{Ports: []uint16{localPort}, Dir: bpffs(t), Peers: 1024}
	for _, f := range configure {
		f(&c)
	}
	f, err := load(c, object)
	allowed(t, err)
	b := &bench{TB: t, Filter: f}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	b.feed = b.newFeed(c.Dir)
	return b
}

func (b *bench) newFeed(dir string) *Feed {
	b.Helper()
	feed, err := NewFeed(FeedConfig{Port: localPort, Dir: dir, Log: slog.New(slog.NewTextHandler(io.MultiWriter(&b.log, b.Output()), nil))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := feed.Close(); err != nil {
			b.Error(err)
		}
	})
	return feed
}

// knows has the server say that players are there.
func (b *bench) knows(peers ...netip.AddrPort) {
	b.Helper()
	changes := make([]transport.Peer, 0, len(peers))
	for i, a := range peers {
		changes = append(changes, transport.Peer{Addr: a, ConnectionID: playerID + uint32(i)<<16, For: time.Minute})
	}
	b.feed.Peers(changes)
	if !b.Serving(localPort) {
		b.Fatalf("the filter does not hear the server: %s", b.log.String())
	}
}

// judge runs the program on a frame once, and returns the verdict. The frame must come out as it went in.
func (b *bench) judge(frame []byte) Verdict {
	b.Helper()
	before, err := b.Counts()
	if err != nil {
		b.Fatal(err)
	}
	out := make([]byte, len(frame)+64)
	opts := ebpf.RunOptions{Data: frame, DataOut: out}
	ret, err := b.Program().Run(&opts)
	if err != nil {
		b.Fatal(err)
	}
	if !bytes.Equal(opts.DataOut, frame) {
		b.Error("the packet was changed")
	}
	after, err := b.Counts()
	if err != nil {
		b.Fatal(err)
	}
	found := Verdict(-1)
	for v := range NumVerdicts {
		switch after[v] - before[v] {
		case 0:
		case 1:
			if found >= 0 {
				b.Errorf("counted as %v and as %v", found, v)
			}
			found = v
		default:
			b.Errorf("%v: counted %d times", v, after[v]-before[v])
		}
	}
	if want := map[bool]uint32{false: 2, true: 1}[found.Drops()]; ret != want {
		b.Errorf("%v: the program returned %d, want %d", found, ret, want)
	}
	return found
}

// frame is what a packet is made of.
type frame struct {
	tags       []uint16 // types of VLAN tags
	from       netip.AddrPort
	to         netip.Addr // of the family of from; zero means the server's
	port       uint16     // zero means the server's
	protocol   uint8      // zero means UDP
	options    int        // of IPv4, in words
	fragment   int        // offset in 8 bytes; -1 is the first of several
	extensions []byte     // of IPv6: their types
	payload    []byte
	length     int // what UDP says besides the payload's length
	cut        int // bytes cut off at the end
}

func (f frame) bytes() []byte {
	b := make([]byte, 12, 128)
	copy(b, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02")
	for _, tag := range f.tags {
		b = binary.BigEndian.AppendUint16(b, tag)
		b = append(b, 0, 5)
	}
	v4 := f.from.Addr().Is4()
	to := f.to
	if !to.IsValid() {
		to = server6
		if v4 {
			to = server4
		}
	}
	protocol := f.protocol
	if protocol == 0 {
		protocol = unix.IPPROTO_UDP
	}
	datagram := f.udp()
	if v4 {
		b = binary.BigEndian.AppendUint16(b, 0x0800)
		header := 20 + 4*f.options
		ip := make([]byte, header)
		ip[0] = byte(0x40 | header/4)
		binary.BigEndian.PutUint16(ip[2:], uint16(header+len(datagram)))
		switch {
		case f.fragment < 0:
			ip[6] = 0x20
		case f.fragment > 0:
			binary.BigEndian.PutUint16(ip[6:], uint16(f.fragment))
		}
		ip[8], ip[9] = 64, protocol
		copy(ip[12:], f.from.Addr().AsSlice())
		copy(ip[16:], to.AsSlice())
		for i := 20; i < header; i++ {
			ip[i] = 1 // no operation
		}
		binary.BigEndian.PutUint16(ip[10:], checksum(ip))
		b = append(b, ip...)
	} else {
		b = binary.BigEndian.AppendUint16(b, 0x86dd)
		chain := append([]byte(nil), f.extensions...)
		chain = append(chain, protocol)
		var behind []byte
		for i, kind := range chain[:len(chain)-1] {
			switch kind {
			case unix.IPPROTO_FRAGMENT:
				behind = append(behind, chain[i+1], 0)
				behind = binary.BigEndian.AppendUint16(behind, uint16(max(f.fragment, 0))<<3|1)
				behind = append(behind, 0, 0, 0, 1)
			case unix.IPPROTO_AH:
				behind = append(behind, chain[i+1], 1)
				behind = append(behind, make([]byte, 10)...)
			default:
				behind = append(behind, chain[i+1], 1)
				behind = append(behind, make([]byte, 14)...)
			}
		}
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(len(behind)+len(datagram)))
		b = append(b, chain[0], 64)
		b = append(append(b, f.from.Addr().AsSlice()...), to.AsSlice()...)
		b = append(b, behind...)
	}
	b = append(b, datagram...)
	return b[:len(b)-f.cut]
}

func (f frame) udp() []byte {
	port := f.port
	if port == 0 {
		port = localPort
	}
	b := binary.BigEndian.AppendUint16(nil, f.from.Port())
	b = binary.BigEndian.AppendUint16(b, port)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(f.payload)+f.length))
	b = append(b, 0, 0) // no checksum; IPv6 wants one, the program does not look
	return append(b, f.payload...)
}

// checksum is that of an IPv4 header.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// recordWith is a record of application data as a client sends it: with a connection id, and some bytes behind.
func recordWith(id uint32, more int) []byte {
	b := []byte{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0x12, 0x34}
	b = binary.BigEndian.AppendUint16(b, uint16(24+more))
	b = binary.BigEndian.AppendUint32(b, id)
	b = append(b, 0, 0, 0x12, 0x34)
	return append(b, make([]byte, 16+more)...)
}

// hello is a datagram of a handshake.
func hello() []byte { return append([]byte{22, 0xfe, 0xfd}, make([]byte, 200)...) }
