package websocket

import (
	"net/http"
	"net/netip"
	"testing"
)

// "An IPv6 /56 has at most four times as many as a /64, and neither that nor a /48 has more than half of
// all": whoever has a /48, which is 65,536 IPv6 /64s, keeps nobody else out.
func TestPlacesOfASite(t *testing.T) {
	for name, c := range map[string]struct {
		config   Config
		from     func(i int) netip.Addr
		want     int
		stranger string
	}{
		"an address": {Config{}, func(int) netip.Addr { return netip.MustParseAddr("192.0.2.7") }, DefaultMaxPerSource, "192.0.2.8"},
		"a /64":      {Config{}, func(i int) netip.Addr { return v6(0, byte(i)) }, DefaultMaxPerSource, "2001:db8:0:100::1"},
		"a /56":      {Config{}, func(i int) netip.Addr { return v6(uint16(i%256), 1) }, 4 * DefaultMaxPerSource, "2001:db8:0:100::1"},
		"a /48":      {Config{}, func(i int) netip.Addr { return v6(uint16(i), 1) }, DefaultMaxConnections / 2, "2001:db8:1::1"},
		"few in all": {Config{MaxConnections: 8, MaxPerSource: 3}, func(i int) netip.Addr { return v6(uint16(i%256), 1) }, 4, "2001:db8:1::1"},
		"and fewer":  {Config{MaxConnections: 3, MaxPerSource: 2}, func(i int) netip.Addr { return v6(uint16(i), 1) }, 2, "2001:db8:1::1"},
	} {
		config, err := c.config.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		p, got := newPlaces(&config), []netip.Addr{}
		for i := range 2 * config.MaxConnections {
			if a := c.from(i); p.take(a) {
				got = append(got, a)
			}
		}
		if len(got) != c.want {
			t.Errorf("%s has %d places, want %d", name, len(got), c.want)
		}
		if stranger := netip.MustParseAddr(c.stranger); !p.take(stranger) {
			t.Errorf("%s keeps %v out", name, stranger)
		} else {
			p.give(stranger)
		}
		for _, a := range got {
			p.give(a)
		}
		if p.taken != 0 || len(p.sources) != 0 {
			t.Errorf("%s: %d places and %d sources are left when all have gone", name, p.taken, len(p.sources))
		}
	}
}

// So it is with connections, of which the site opens one in each of its networks.
func TestBoundsOfASite(t *testing.T) {
	t.Parallel()
	_, url := listener(t, Config{MaxConnections: 6, MaxPerSource: 2, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for i := range uint16(8) {
		_, err := dial(t, url, http.Header{"X-Forwarded-For": {v6(i<<8, 1).String()}})
		if (err == nil) != (i < 3) {
			t.Errorf("connection %d of the site: %v", i, err)
		}
	}
	if _, err := dial(t, url, http.Header{"X-Forwarded-For": {"2001:db8:1::1"}}); err != nil {
		t.Errorf("a player elsewhere: %v", err)
	}
}

// v6 returns an address of a /64 of 2001:db8::/48.
func v6(subnet uint16, host byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 6: byte(subnet >> 8), 7: byte(subnet), 15: host})
}
