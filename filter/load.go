package filter

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Config configures a Filter. Ports is required. Budgets are datagrams a second, from 1 to
// 1,000,000,000.
type Config struct {
	// Ports are the UDP ports that are filtered.
	Ports []uint16

	// Addresses are the addresses of this host that the servers listen on. Without any, the ports are
	// filtered for every destination address, even of packets that this host only forwards.
	Addresses []netip.Addr

	// Dir is where the maps are pinned, in a BPF file system. Load makes it for root alone. Empty means
	// DefaultDir.
	Dir string

	// Owner is the user that may write to the maps besides root: the server's. Zero means root alone.
	Owner int

	// Stale is how long a server may say nothing before everything passes, at least 3 s. Zero means 3
	// s.
	Stale time.Duration

	// Peers is how many addresses, connection ids and hosts there is room for. Zero means 65,536.
	Peers int

	// Hellos is the budget for handshakes from all unknown addresses together, and Returns that for
	// those with proof of their address in front (PROTOCOL.md 9.10). Source is the share of each that
	// one /24 may use; a /48 may use four times as much. Zero means 50,000, 50,000 and 25,000.
	Hellos, Returns, Source int

	// Host is an additional budget for handshakes from a host (an IPv6 /64) at which somebody has
	// played in the last ten minutes. Zero means 10.
	Host int

	// Roamer is the budget for one connection id from unknown addresses. Zero means 500.
	Roamer int
}

// ErrConfig matches every error about a Config.
var ErrConfig = errors.New("filter: bad configuration")

// maxEntries bounds Config.Peers: 1.6 GB.
const maxEntries = 1 << 24

func (c *Config) withDefaults() (Config, error) {
	d := *c
	d.Dir = cmp.Or(d.Dir, DefaultDir)
	d.Stale = cmp.Or(d.Stale, defaultStale)
	d.Peers = cmp.Or(d.Peers, defaultPeers)
	switch {
	case len(d.Ports) == 0 || slices.Contains(d.Ports, 0):
		return d, fmt.Errorf("%w: Ports must name the UDP ports of the servers, 1 to 65535", ErrConfig)
	case len(d.Addresses) > 64 || slices.ContainsFunc(d.Addresses, func(a netip.Addr) bool { return !a.IsValid() || a.IsUnspecified() }):
		return d, fmt.Errorf("%w: Addresses must be at most 64 addresses of this host", ErrConfig)
	case d.Stale < defaultStale:
		return d, fmt.Errorf("%w: Stale must be 3 s or more: a server says something each second", ErrConfig)
	case d.Peers < 1 || d.Peers > maxEntries:
		return d, fmt.Errorf("%w: Peers must be 1 to %d", ErrConfig, maxEntries)
	}
	for _, rate := range []struct {
		name  string
		value *int
		zero  int
	}{
		{"Hellos", &d.Hellos, defaultHellos},
		{"Returns", &d.Returns, defaultReturns},
		{"Source", &d.Source, defaultSource},
		{"Host", &d.Host, defaultHost},
		{"Roamer", &d.Roamer, defaultRoamer},
	} {
		if *rate.value = cmp.Or(*rate.value, rate.zero); *rate.value < 1 || *rate.value > int(time.Second) {
			return d, fmt.Errorf("%w: %s must be 1 to 1000000000 datagrams a second", ErrConfig, rate.name)
		}
	}
	return d, nil
}

// Filter is the loaded program. Its methods are safe for concurrent use, except that none may be
// called during or after Close.
type Filter struct {
	config     Config
	collection *ebpf.Collection
	links      []link.Link
}

// Load loads the program and makes its maps, or takes over existing ones; it replaces maps of another size or
// version. It does not attach anything. It needs CAP_BPF and CAP_NET_ADMIN, in practice root. Errors are the
// kernel's, or match ErrConfig.
func Load(config Config) (*Filter, error) { return load(config, object) }

func load(config Config, object []byte) (*Filter, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	spec, err := c.spec(object)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	if err := renew(c.Dir); err != nil {
		return nil, err
	}
	collection, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: c.Dir}})
	if errors.Is(err, ebpf.ErrMapIncompatible) { // of another size
		unpin(c.Dir, pinned)
		collection, err = ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: c.Dir}})
	}
	if err != nil {
		return nil, fmt.Errorf("filter: the kernel does not take the program: %w", err)
	}
	f := &Filter{config: c, collection: collection}
	if err := f.fill(); err != nil {
		collection.Close()
		return nil, err
	}
	return f, nil
}

// prepare makes the directory.
func (c *Config) prepare() error {
	if err := os.Mkdir(c.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("filter: no directory for the maps: %w; mount a BPF file system: mount -t bpf bpf /sys/fs/bpf", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(c.Dir, &st); err != nil {
		return fmt.Errorf("filter: %s: %w", c.Dir, err)
	}
	if !ofBPF(st) {
		return fmt.Errorf("%w: Dir %s is in no BPF file system: mount one there, mount -t bpf bpf /sys/fs/bpf", ErrConfig, c.Dir)
	}
	return nil
}

// fill says which ports and addresses are filtered, and who may write to the maps.
func (f *Filter) fill() error {
	ports := f.collection.Maps["ports"]
	for _, number := range f.config.Ports { // first of all: a Feed may look already
		if err := ports.Put(uint32(number), port{On: 1}); err != nil {
			return fmt.Errorf("filter: ports: %w", err)
		}
	}
	numbers, before := make([]uint32, ports.MaxEntries()), make([]port, ports.MaxEntries())
	if _, err := ports.BatchLookup(new(ebpf.MapBatchCursor), numbers, before, nil); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("filter: ports: %w", err)
	}
	for i, number := range numbers { // of the program before
		if before[i].On == 0 || slices.Contains(f.config.Ports, uint16(number)) {
			continue
		}
		if err := ports.Put(number, port{}); err != nil {
			return fmt.Errorf("filter: ports: %w", err)
		}
	}
	if err := f.fillAddresses(); err != nil {
		return fmt.Errorf("filter: addresses: %w", err)
	}
	for _, name := range append([]string{"", versionName}, pinned...) {
		if err := os.Chown(filepath.Join(f.config.Dir, name), f.config.Owner, -1); err != nil {
			return fmt.Errorf("filter: the owner of the maps: %w", err)
		}
	}
	return nil
}

// fillAddresses says which addresses are filtered: those of the program before go first, to make room.
func (f *Filter) fillAddresses() error {
	locals := f.collection.Maps["locals"]
	var gone [][16]byte
	var address [16]byte
	var on uint32
	before := locals.Iterate()
	for before.Next(&address, &on) {
		if !slices.ContainsFunc(f.config.Addresses, func(a netip.Addr) bool { return a.As16() == address }) {
			gone = append(gone, address)
		}
	}
	if err := before.Err(); err != nil {
		return err
	}
	for _, address := range gone {
		if err := locals.Delete(address); err != nil {
			return err
		}
	}
	for _, a := range f.config.Addresses {
		if err := locals.Put(a.As16(), uint32(1)); err != nil {
			return err
		}
	}
	return nil
}

// Mode is how a program is attached to an interface.
type Mode int

const (
	// Best is Native where the driver can do that, else Generic.
	Best Mode = iota
	// Native runs the program in the driver, before the kernel allocates memory for the packet.
	Native
	// Generic runs it after that: on every interface, at a higher cost.
	Generic
)

// String returns the mode as a flag has it.
func (m Mode) String() string { return [...]string{"best", "native", "generic"}[m] }

// Attach attaches the program to an interface, until Close or until the process ends. It returns
// the mode in use.
func (f *Filter) Attach(name string, mode Mode) (Mode, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return mode, fmt.Errorf("filter: interface %s: %w", name, err)
	}
	for _, try := range []struct {
		mode  Mode
		flags link.XDPAttachFlags
	}{{Native, link.XDPDriverMode}, {Generic, link.XDPGenericMode}} {
		if mode != Best && mode != try.mode {
			continue
		}
		var l link.Link
		if l, err = link.AttachXDP(link.XDPOptions{Program: f.Program(), Interface: iface.Index, Flags: try.flags}); err == nil {
			f.links = append(f.links, l)
			return try.mode, nil
		}
	}
	return mode, fmt.Errorf("filter: interface %s does not take the program: %w", name, err)
}

// Program returns the loaded program, for tests and measurements.
func (f *Filter) Program() *ebpf.Program { return f.collection.Programs[program] }

// Counts returns how many packets each verdict had.
func (f *Filter) Counts() (c Counts, err error) {
	var each []uint64 // of each processor
	for v := range c {
		if err := f.collection.Maps["counts"].Lookup(uint32(v), &each); err != nil {
			return c, fmt.Errorf("filter: counters: %w", err)
		}
		for _, n := range each {
			c[v] += n
		}
	}
	return c, nil
}

// Known returns how many addresses are known, and how many there is room for.
func (f *Filter) Known() (n, room int) {
	now := monotonic()
	var key peerKey
	var until uint64
	for all := f.collection.Maps["peers"].Iterate(); all.Next(&key, &until); {
		if until > now {
			n++
		}
	}
	return n, f.config.Peers
}

// Serving reports whether a port's server currently reports its players' addresses; otherwise
// everything passes.
func (f *Filter) Serving(number uint16) bool {
	var beat uint64
	err := f.collection.Maps["beats"].Lookup(uint32(number), &beat)
	return err == nil && beat != 0 && monotonic()-beat < uint64(f.config.Stale)
}

// Close detaches the program. The maps stay, for the next one.
func (f *Filter) Close() error {
	var errs []error
	for _, l := range f.links {
		errs = append(errs, l.Close())
	}
	f.collection.Close()
	return errors.Join(errs...)
}

// monotonic is the clock of all times in the maps.
func monotonic() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // never fails
	return uint64(ts.Nano())
}
