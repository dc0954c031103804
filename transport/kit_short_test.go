package transport

import (
	"flag"
	"strings"
	"sync"
	"testing"
)

// Under the race detector, which is when tests are short, a datagram costs ten times as much, and one
// match between the same goroutines shows what a hundred do. So a test plays worlds, in whatever order
// they come, until they have sent enough. The first is always played; without -short all are.
const (
	enough = 6_000 // datagrams of a test, and calls of Poll, which cost as much
	beside = 2     // worlds of a test at once; the next waits, since it may be one too many
)

// played is what a test has played when tests are short.
type played struct {
	worlds    int
	underWay  int    // of them
	datagrams uint64 // of the others
}

// full reports whether another world has to wait for the end of one.
func (p *played) full() bool { return p.underWay == beside }

// more reports whether another world is played, and counts it.
func (p *played) more() bool {
	if p.worlds > 0 && p.datagrams >= enough {
		return false
	}
	p.worlds++
	p.underWay++
	return true
}

func (p *played) end(datagrams uint64) {
	p.underWay--
	p.datagrams += datagrams
}

// shorts is what each test has played, by the test's name without those of its parts.
var shorts = struct {
	sync.Mutex
	ended sync.Cond
	tests map[string]*played
}{tests: make(map[string]*played)}

func init() { shorts.ended.L = &shorts.Mutex }

// short has f play a world, which returns its datagrams, unless tests are short and this one has played
// enough. A test that is repeated (-count) is not cut: whoever repeats it looks for something.
func short(t *testing.T, f func() (datagrams uint64)) {
	t.Helper()
	if !testing.Short() || flag.Lookup("test.count").Value.String() != "1" {
		f()
		return
	}
	shorts.Lock()
	defer shorts.Unlock()
	name, _, _ := strings.Cut(t.Name(), "/")
	p := shorts.tests[name]
	if p == nil {
		p = new(played)
		shorts.tests[name] = p
	}
	for p.full() {
		shorts.ended.Wait()
	}
	if !p.more() {
		t.Log("not played with -short: other worlds of the test have sent enough")
		return
	}
	var datagrams uint64
	defer func() { // f may end the goroutine
		shorts.Lock()
		p.end(datagrams)
		shorts.ended.Broadcast()
	}()
	shorts.Unlock()
	datagrams = f()
}

// The first world is played whatever it costs, and others that begin before enough was sent.
func TestShortWorlds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		ended []uint64 // datagrams of the worlds before
		want  bool
	}{
		{nil, true},
		{[]uint64{0}, true},
		{[]uint64{enough - 1}, true},
		{[]uint64{enough}, false},
		{[]uint64{1 << 40}, false},
		{[]uint64{1, enough - 2}, true},
		{[]uint64{1, enough - 1}, false},
	} {
		var p played
		for _, datagrams := range test.ended {
			if !p.more() || p.full() {
				t.Fatalf("%v: one of them was not played: %+v", test.ended, p)
			}
			p.end(datagrams)
		}
		if p.more() != test.want {
			t.Errorf("after %v another world is played: %v", test.ended, !test.want)
		}
	}
	var p played
	for n := range beside {
		if p.full() || !p.more() {
			t.Errorf("with %d under way another has to wait", n)
		}
	}
	if !p.full() {
		t.Errorf("with %d under way another does not wait", beside)
	}
}
