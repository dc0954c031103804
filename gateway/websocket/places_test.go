package websocket

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
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
		p, got := newPlaces(&config), []*place{}
		for i := range 2 * config.MaxConnections {
			if of := p.take(time.Now(), c.from(i)); of != nil {
				got = append(got, of)
			}
		}
		if len(got) != c.want {
			t.Errorf("%s has %d places, want %d", name, len(got), c.want)
		}
		if of := p.take(time.Now(), netip.MustParseAddr(c.stranger)); of == nil {
			t.Errorf("%s keeps %s out", name, c.stranger)
		} else {
			p.give(of)
		}
		for _, of := range got {
			p.give(of)
		}
		empty(t, p)
	}
}

// empty fails the test if anything is left when all have gone.
func empty(t *testing.T, p *places) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken != 0 || len(p.sources) != 0 || len(p.strangers) != 0 {
		t.Errorf("%d places, %d sources and strangers of %d are left when all have gone", p.taken, len(p.sources), len(p.strangers))
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

// "When as many WebSockets are open as a server takes, one that carries no session SHOULD give way to a newcomer: the oldest
// of the IPv4 address or IPv6 /48 with most of these; when as many are of the newcomer's address or network, the oldest of
// that. In its first 2 s it does so only if its address then still has as many of them as the newcomer's." PROTOCOL.md 9.8
func TestWhoGivesWay(t *testing.T) {
	const young, old = 2*time.Second - 1, 2 * time.Second
	for name, c := range map[string]struct {
		here  []string // in the order of time; with a * it carries a session
		age   time.Duration
		comes string
		gone  int // index of who gives way; -1 for nobody, and then the newcomer stays out
	}{
		"the oldest":                     {[]string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}, old, "192.0.2.5", 0},
		"the oldest without a session":   {[]string{"192.0.2.1*", "192.0.2.2", "192.0.2.3", "192.0.2.4"}, old, "192.0.2.5", 1},
		"of the address with most":       {[]string{"192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.4"}, old, "192.0.2.5", 1},
		"of the address with most again": {[]string{"192.0.2.1*", "192.0.2.1*", "192.0.2.2", "192.0.2.3"}, old, "192.0.2.5", 2},
		"of the newcomer's":              {[]string{"192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.4"}, old, "192.0.2.2", 1},
		"of the /48 with most":           {[]string{"2001:db8:1::1", "2001:db8:0:1::1", "2001:db8:0:2::1", "192.0.2.4"}, old, "192.0.2.5", 1},
		"a young one of two":             {[]string{"192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.4"}, young, "192.0.2.5", 1},
		"a young one of three":           {[]string{"192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.2"}, young, "192.0.2.1", 1},
		"no young one of one":            {[]string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}, young, "192.0.2.5", -1},
		"no young one of as many":        {[]string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"}, young, "192.0.2.1", -1},
		"no young one of the newcomer's": {[]string{"192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.4"}, young, "192.0.2.2", -1},
		"nobody with a session":          {[]string{"192.0.2.1*", "192.0.2.2*", "192.0.2.3*", "192.0.2.4*"}, old, "192.0.2.5", -1},
		"of a source with enough":        {[]string{"192.0.2.4", "192.0.2.1*", "192.0.2.1", "192.0.2.1"}, old, "192.0.2.1", 2},
		"no young one of a source":       {[]string{"192.0.2.4", "192.0.2.1*", "192.0.2.1", "192.0.2.1"}, young, "192.0.2.1", -1},
		"of a /48 with enough":           {[]string{"192.0.2.4", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"}, old, "2001:db8::1", 1},
		"nobody of another source":       {[]string{"192.0.2.1*", "192.0.2.1*", "192.0.2.1*", "192.0.2.4"}, old, "192.0.2.1", -1},
		"nobody of a proxy":              {[]string{"192.0.2.1*", "", "", "192.0.2.4"}, old, "192.0.2.5", 3},
	} {
		config, err := Config{MaxConnections: 4, MaxPerSource: 3}.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		p, here, gone := newPlaces(&config), []*place{}, []int{}
		now := time.Unix(1, 0)
		for i, text := range c.here {
			address, plays := strings.CutSuffix(text, "*")
			from, _ := netip.ParseAddr(address)
			of := p.take(now.Add(time.Duration(i)), from)
			of.end = func() { gone = append(gone, i) }
			p.mark(of, true)
			p.mark(of, !plays)
			here = append(here, of)
		}
		want := c.gone
		if want >= 0 {
			now = now.Add(time.Duration(want)) // since when that one is there
		}
		newcomer := p.take(now.Add(c.age), netip.MustParseAddr(c.comes))
		if want >= 0 && (newcomer == nil || !slices.Equal(gone, []int{want})) || want < 0 && (newcomer != nil || len(gone) > 0) {
			t.Errorf("%s: %v give way, the newcomer's place is %v; want %d", name, gone, newcomer, want)
		}
		if newcomer != nil {
			here = append(here, newcomer)
		}
		for _, of := range here { // who has given way, too
			p.mark(of, false)
			p.mark(of, true)
			p.give(of)
		}
		empty(t, p)
	}
}

// "one that carries no session SHOULD give way to a newcomer: the oldest of the IPv4 address or IPv6 /48 with most of
// these" PROTOCOL.md 9.8: also if its session has ended only after younger ones have come, which may be signing in.
func TestWhoseSessionHasEndedGivesWay(t *testing.T) {
	t.Parallel()
	for _, comes := range []string{"192.0.2.1", "192.0.2.2"} {
		config, err := Config{MaxConnections: 3}.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		p, now, here, gone := newPlaces(&config), time.Unix(1, 0), []*place{}, []int{}
		for i := range 3 {
			of := p.take(now.Add(time.Duration(i)*time.Minute), netip.MustParseAddr("192.0.2.1"))
			of.end = func() { gone = append(gone, i) }
			p.mark(of, true)
			p.mark(of, i == 2) // the first two have sessions
			here = append(here, of)
		}
		p.mark(here[1], true)
		p.mark(here[0], true)
		newcomer := p.take(now.Add(2*time.Minute+signInTime/2), netip.MustParseAddr(comes))
		if newcomer == nil || !slices.Equal(gone, []int{0}) {
			t.Errorf("from %s: %v give way, the newcomer's place is %v", comes, gone, newcomer)
		}
	}
}

// A newcomer to a /64 that has enough takes the place of one there, and not of an older one of the same /48.
func TestWhoGivesWayInASubnet(t *testing.T) {
	t.Parallel()
	config, err := Config{MaxConnections: 16, MaxPerSource: 2}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p, now, gone := newPlaces(&config), time.Unix(1, 0), []int{}
	for i := range 8 {
		of := p.take(now, v6(uint16(i/2), 1))
		of.end = func() { gone = append(gone, i) }
		p.mark(of, true)
	}
	now = now.Add(signInTime)
	for _, subnet := range []uint16{1, 8} { // in the latter it is the /56 that has enough
		if p.take(now, v6(subnet, 2)) == nil {
			t.Errorf("a newcomer to subnet %d stays out", subnet)
		}
	}
	if !slices.Equal(gone, []int{2, 0}) {
		t.Errorf("%v give way", gone)
	}
}

// So it is with connections: "one carries a session while the last of that is application data", PROTOCOL.md 9.8
func TestStrangersGiveWay(t *testing.T) {
	t.Parallel()
	l, url := listener(t, Config{MaxConnections: 4, MaxPerSource: 2, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	open := func(from string) (*websocket.Conn, error) {
		return dial(t, url, http.Header{"X-Forwarded-For": {from}})
	}
	var strangers []*websocket.Conn
	for i := range 4 {
		ws, err := open([]string{"203.0.113.1", "203.0.113.2"}[i/2])
		if err != nil {
			t.Fatal(err)
		}
		strangers = append(strangers, ws)
		settled(t, l, uint64(i+1), i+1)
		answer(t, l, 22) // a part of a handshake
	}
	if _, err := open("203.0.113.3"); err != nil {
		t.Errorf("strangers keep a newcomer out: %v", err)
	}
	_ = strangers[0].SetReadDeadline(time.Now().Add(5 * time.Second))
	var err error
	for err == nil {
		_, _, err = strangers[0].ReadMessage()
	}
	if !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("the oldest stranger is told %v", err)
	}
	settled(t, l, 5, 4)
	answer(t, l, recordData)
	if _, err := open("203.0.113.4"); err == nil || !strings.HasPrefix(err.Error(), "503") {
		t.Errorf("a newcomer, where all places are players': %v", err)
	}
	answer(t, l, 21) // an alert
	if _, err := open("203.0.113.4"); err != nil {
		t.Errorf("those whose sessions are over keep a newcomer out: %v", err)
	}
}

// "What the server sends shows which: one carries a session while the last of that is application data, and no older than
// 10 s: when a session goes on by another connection, the server says nothing more on this one. Time in which it says
// nothing to anybody, as when it hangs, does not count." PROTOCOL.md 9.8
// So who goes from one WebSocket to another does not keep the places of all of them.
func TestWhatIsLeftGivesWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, err := New(Config{MaxConnections: 2})
		if err != nil {
			t.Fatal(err)
		}
		from, other := netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:1000")
		gone := [2]bool{}
		for i, peer := range []netip.AddrPort{from, other} {
			s := &stream{peer: peer, out: make(chan *datagram, outbound), place: l.take(peer.Addr())}
			l.add(s)
			s.place.end = func() { gone[i] = true }
		}
		time.Sleep(beat / 2) // not as the beat comes
		for _, c := range []struct {
			last  time.Duration // since data on the first
			hangs bool          // and on the other, which has one each beat otherwise
			left  bool
		}{
			{5 * time.Second, false, false},
			{10 * time.Second, false, false},
			{30 * time.Second, true, false},
			{10*time.Second + 2*beat, false, true},
		} {
			answer(t, l, recordData)
			for range c.last / beat {
				if time.Sleep(beat); !c.hangs {
					_, _ = l.WriteToUDPAddrPort([]byte{recordData}, other)
					continue
				}
				l.mu.Lock()
				l.streams[netip.AddrPort{}] = &stream{} // a newcomer, who is not answered
				l.mu.Unlock()
			}
			l.mu.Lock()
			delete(l.streams, netip.AddrPort{})
			l.mu.Unlock()
			if left := l.take(netip.MustParseAddr("192.0.2.3")) != nil; left != c.left || gone != [2]bool{c.left, false} {
				t.Errorf("%+v: there is room for a newcomer: %v; %v give way", c, left, gone)
			}
		}
		l.mu.Lock()
		clear(l.streams)
		l.mu.Unlock()
		l.wg.Add(-2) // in place of serve
		l.Close()    //nolint:errcheck // the first time
	})
}

// settled waits until so many connections have been taken, and so many are open.
func settled(t *testing.T, l *Listener, accepted uint64, open int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		st := l.Stats()
		if st.Accepted == accepted && st.Open == open {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, want %d taken and %d open", st, accepted, open)
		}
	}
}

// answer sends a record of a type to every connection.
func answer(t *testing.T, l *Listener, typ byte) {
	t.Helper()
	l.mu.RLock()
	peers := slices.Collect(maps.Keys(l.streams))
	l.mu.RUnlock()
	for _, peer := range peers {
		if _, err := l.WriteToUDPAddrPort([]byte{typ}, peer); err != nil {
			t.Error(err)
		}
	}
}

// v6 returns an address of a /64 of 2001:db8::/48.
func v6(subnet uint16, host byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 6: byte(subnet >> 8), 7: byte(subnet), 15: host})
}
