package udp

import (
	"encoding/binary"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cmsg is a control message as the kernel writes it, padding included.
func cmsg(level, typ uint32, data ...byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	putWord(b, uint64(unix.CmsgLen(len(data))))
	binary.NativeEndian.PutUint32(b[wordLen:], level)
	binary.NativeEndian.PutUint32(b[wordLen+4:], typ)
	copy(b[unix.SizeofCmsghdr:], data)
	return b
}

func putWord(b []byte, v uint64) {
	if wordLen == 4 {
		binary.NativeEndian.PutUint32(b, uint32(v))
	} else {
		binary.NativeEndian.PutUint64(b, v)
	}
}

// Control messages come in any order and number; what is unknown is skipped, and
// what is cut off is not read.
func TestParseControl(t *testing.T) {
	size := cmsg(unix.SOL_UDP, unix.UDP_GRO, binary.NativeEndian.AppendUint32(nil, 1200)...)
	stamp := cmsg(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, slices.Concat(make([]byte, 2*wordLen))...)
	putWord(stamp[unix.SizeofCmsghdr:], 1_700_000_000)
	putWord(stamp[unix.SizeofCmsghdr+wordLen:], 123_456_789)
	local := cmsg(unix.IPPROTO_IP, unix.IP_PKTINFO, make([]byte, 12)...)
	local6 := cmsg(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, make([]byte, 20)...)
	const at = 1_700_000_000_123_456_789
	edited := func(b []byte, edit func(b []byte)) []byte {
		b = slices.Clone(b)
		edit(b)
		return b
	}
	for name, test := range map[string]struct {
		b    []byte
		want control
	}{
		"none":                  {},
		"a size":                {size, control{segment: 1200}},
		"a time":                {stamp, control{stamp: at}},
		"both":                  {slices.Concat(stamp, size), control{segment: 1200, stamp: at}},
		"the other way round":   {slices.Concat(size, stamp), control{segment: 1200, stamp: at}},
		"among others":          {slices.Concat(local, size, local6, stamp), control{segment: 1200, stamp: at}},
		"cut off in the header": {slices.Concat(size, stamp[:unix.SizeofCmsghdr-1]), control{segment: 1200}},
		"cut off in the data":   {slices.Concat(size, stamp[:len(stamp)-1]), control{segment: 1200}},
		"without padding":       {size[:unix.CmsgLen(4)], control{segment: 1200}},
		"no length":             {edited(slices.Concat(size, stamp), func(b []byte) { putWord(b, 0) }), control{}},
		"a length too short":    {edited(size, func(b []byte) { putWord(b, unix.SizeofCmsghdr-1) }), control{}},
		"a length beyond":       {edited(size, func(b []byte) { putWord(b, 1<<31) }), control{}},
		"too few data":          {cmsg(unix.SOL_UDP, unix.UDP_GRO, 1, 2, 3), control{}},
		"another level":         {edited(size, func(b []byte) { b[wordLen]++ }), control{}},
		"another type":          {edited(size, func(b []byte) { b[wordLen+4]++ }), control{}},
	} {
		if got := parseControl(test.b); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	if n := len(slices.Concat(size, stamp, local, local6)); n > controlLen {
		t.Errorf("all of them are %d bytes, there is room for %d", n, controlLen)
	}
}

func FuzzParseControl(f *testing.F) {
	f.Add(cmsg(unix.SOL_UDP, unix.UDP_GRO, 1, 0, 0, 0))
	f.Add(slices.Concat(cmsg(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, make([]byte, 16)...), cmsg(unix.IPPROTO_IP, unix.IP_PKTINFO, 1, 2, 3)))
	f.Fuzz(func(_ *testing.T, b []byte) { parseControl(b) })
}

// "The kernel's time of receipt": it does not matter when the datagram is read.
func TestKernelStamps(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			s, err := Listen(address)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.LocalAddr()))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			// play sends datagrams, reads them later and reports whether each was stamped as it was sent.
			play := func(datagrams int) (all bool) {
				before, after := make([]time.Time, datagrams), make([]time.Time, datagrams)
				for i := range datagrams {
					before[i] = time.Now()
					if _, err := c.Write([]byte("input")); err != nil {
						t.Fatal(err)
					}
					after[i] = time.Now() // loopback has delivered it
					time.Sleep(20 * time.Millisecond)
				}
				got := s.Receive()
				if len(got) != datagrams {
					t.Fatalf("%d datagrams", len(got))
				}
				all = true
				for i, p := range got {
					if at := time.Unix(0, p.Stamp); at.Before(before[i]) || at.After(after[i]) {
						t.Logf("datagram %d of %d sent at %v, stamped %v", i, datagrams, before[i], at)
						all = false
					}
				}
				return all
			}
			for end := time.Now().Add(10 * time.Second); !play(1); { // a kernel that has stamped for nobody begins a moment later
				if time.Now().After(end) {
					t.Fatal("the kernel does not stamp")
				}
			}
			if !play(3) {
				t.Error("a stamp is not from when the datagram came")
			}
		})
	}
}
