package filter

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
)

// layout is what stands in the maps. Whoever changes it, or what it means, raises version.
const layout = `version 1
ports Array 4 16
beats Array 4 8
locals Hash 16 4
peers Hash 20 8
hints Hash 8 16
hosts LRUHash 16 16
`

func TestLayout(t *testing.T) {
	t.Parallel()
	c, err := (&Config{Ports: []uint16{1}}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := c.spec(object)
	if err != nil {
		t.Fatal(err)
	}
	var found strings.Builder
	found.WriteString(fmt.Sprintln("version", version))
	for _, name := range pinned {
		m := spec.Maps[name]
		found.WriteString(fmt.Sprintln(name, m.Type, m.KeySize, m.ValueSize))
	}
	if found.String() != layout {
		t.Errorf("the maps are\n%swant\n%s", found.String(), layout)
	}
}

// A Feed uses no maps of another version, even if they are as long: Check and the log say which they are, and what
// is to be done. Load puts its own in their place.
func TestVersion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(pin string) error
		says  string
	}{
		"another": {func(pin string) error {
			m, err := ebpf.LoadPinnedMap(pin, nil)
			if err != nil {
				return err
			}
			defer m.Close() //nolint:errcheck // it has no state
			return m.Put(uint32(0), uint32(version+1))
		}, fmt.Sprintf("they have version %d, and this program has %d", version+1, version)},
		"of before there were any": {os.Remove, fmt.Sprintf("they have version 0, and this program has %d", version)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			wants(t, "of this version", Check(b.config.Dir), "", "")
			if err := c.spoil(b.config.Dir + "/version"); err != nil {
				t.Fatal(err)
			}
			for _, says := range []string{c.says, "run a sallyport-filter of this program's own version, which replaces those in " + b.config.Dir} {
				wants(t, "of another version", Check(b.config.Dir), "version", says)
			}
			b.feed.Peers(crowd(1))
			if n, _ := b.Known(); n != 0 || b.feed.Feeding() || b.Serving(localPort) {
				t.Errorf("the feed has written %d addresses", n)
			}
			if log := b.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, c.says) {
				t.Errorf("the log: %s", log)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			f, err := Load(b.config)
			if err != nil {
				t.Fatal(err)
			}
			*b.Filter = *f
			b.feed.Peers(nil)
			b.everybody("after Load", crowd(1))
		})
	}
}
