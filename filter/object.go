package filter

import (
	"bytes"
	_ "embed" // the program
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// object is filter.bpf.c, compiled: see `make filter`.
//
//go:embed filter.bpf.o
var object []byte

// The name of the XDP program in it, and of the maps that are pinned: versionName is that of no map in it.
const (
	program     = "sallyport_filter"
	versionName = "version"
)

var pinned = []string{"ports", "beats", "locals", "peers", "hints", "hosts"}

// spec is the object with a configuration in it.
func (c *Config) spec(object []byte) (*ebpf.CollectionSpec, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, fmt.Errorf("filter: the compiled program cannot be read: %w", err)
	}
	for _, name := range []string{"peers", "hints", "hosts"} {
		spec.Maps[name].MaxEntries = uint32(c.Peers)
	}
	restricted := uint32(0)
	if len(c.Addresses) > 0 {
		restricted = 1
	}
	for _, v := range []struct {
		name  string
		value any
	}{
		{"stale", uint64(c.Stale)},
		{"hello_interval", interval(c.Hellos)},
		{"hello_burst", burst(c.Hellos)},
		{"return_interval", interval(c.Returns)},
		{"return_burst", burst(c.Returns)},
		{"source_interval", interval(c.Source)},
		{"source_burst", burst(c.Source)},
		{"host_interval", interval(c.Host)},
		{"host_burst", uint64(hostTime)},
		{"roamer_interval", interval(c.Roamer)},
		{"roamer_burst", uint64(roamerTime)},
		{"return_byte", uint32(ReturnByte)},
		{"restricted", restricted},
	} {
		if err := spec.Variables[v.name].Set(v.value); err != nil {
			return nil, fmt.Errorf("filter: %s of the compiled program: %w", v.name, err)
		}
	}
	return spec, nil
}

// interval is how much of a bucket one datagram takes, in ns.
func interval(perSecond int) uint64 { return uint64(time.Second) / uint64(perSecond) }

// burst is how much a bucket has, in ns.
func burst(perSecond int) uint64 {
	return uint64(max(perSecond/burstPart, leastBurst)) * interval(perSecond)
}
