package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/filter"
	"github.com/sallyport/sallyport/internal/lab/command"
)

const help = `sallyport-filter drops strangers' datagrams to the ports of Sallyport servers before the kernel's UDP
stack has them. It needs root (CAP_BPF, CAP_NET_ADMIN), Linux 5.15 or newer, and a BPF file system.
It detaches when it ends. Everything passes while a port's server says nothing.

  sallyport-filter -interface eth0 -port 7777

`

// flags are what the command line says.
type flags struct {
	filter     filter.Config
	interfaces []string
	mode       filter.Mode
	every      time.Duration
}

// list is a flag that may be given several times, or once with commas.
func list(set *flag.FlagSet, name, usage string, add func(string) error) {
	set.Func(name, usage, func(s string) error {
		for each := range strings.SplitSeq(s, ",") {
			if err := add(strings.TrimSpace(each)); err != nil {
				return err
			}
		}
		return nil
	})
}

// owner is the number of the user that text names by name or by number: a container's user may have no
// name on this host.
func owner(text string) (int, error) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return int(n), nil
	}
	u, err := user.Lookup(text)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

func parse(args []string, stdout, stderr io.Writer) (f flags, status int, ok bool) {
	set := flag.NewFlagSet("sallyport-filter", flag.ContinueOnError)
	c := &f.filter
	list(set, "interface", "`name` of a network interface; may be repeated", func(s string) error {
		f.interfaces = append(f.interfaces, s)
		return nil
	})
	list(set, "port", "UDP `port` of a server; may be repeated", func(s string) error {
		n, err := strconv.ParseUint(s, 10, 16)
		c.Ports = append(c.Ports, uint16(n))
		return err
	})
	list(set, "address", "IP `address` that the servers listen on; may be repeated; without any the ports are filtered for all", func(s string) error {
		a, err := netip.ParseAddr(s)
		c.Addresses = append(c.Addresses, a)
		return err
	})
	set.Func("mode", "`how` the program is attached: native in the driver, generic behind it, or best (default best)", func(s string) error {
		for m := filter.Best; m <= filter.Generic; m++ {
			if m.String() == s {
				f.mode = m
				return nil
			}
		}
		return errors.New("want best, native or generic")
	})
	set.Func("user", "`name` or number of the user that the servers run as, who may write to the maps (default root alone)", func(s string) (err error) {
		c.Owner, err = owner(s)
		return err
	})
	set.StringVar(&c.Dir, "dir", filter.DefaultDir, "`directory` in a BPF file system for the maps")
	set.DurationVar(&f.every, "every", 0, "print the table so often; 0 prints it at the end alone")
	set.DurationVar(&c.Stale, "stale", 3*time.Second, "pass everything when a server has said nothing for so long")
	set.IntVar(&c.Peers, "peers", 65536, "room for so many players' addresses")
	set.IntVar(&c.Hellos, "hellos", 50000, "datagrams a second of handshakes that pass from unknown addresses")
	set.IntVar(&c.Returns, "returns", 50000, "the same, of those that carry proof of their address")
	set.IntVar(&c.Source, "source", 25000, "of each, from one IPv4 /24, or a quarter of an IPv6 /48")
	set.IntVar(&c.Host, "host", 10, "besides, from a host where somebody has played in the last ten minutes")
	set.IntVar(&c.Roamer, "roamer", 500, "datagrams a second of one player from a new address")
	status, ok = command.Parse(set, help, args, func(rest []string) error {
		switch {
		case len(rest) > 0:
			return fmt.Errorf("unexpected argument %q", rest[0])
		case len(f.interfaces) == 0:
			return errors.New("-interface is missing: name the interface that players' datagrams come in by, such as eth0")
		case len(c.Ports) == 0:
			return errors.New("-port is missing: name the servers' UDP ports, such as 7777")
		case f.every < 0:
			return errors.New("-every must not be negative")
		case min(c.Hellos, c.Returns, c.Source, c.Host, c.Roamer, c.Peers) <= 0 || c.Stale <= 0: // filter.Config's defaults
			return errors.New("-hellos, -returns, -source, -host, -roamer, -peers and -stale are more than 0")
		}
		return nil
	}, stdout, stderr)
	return f, status, ok
}

// run is the program. It returns the exit status: 0 after a signal, 1 if something has failed, 2 for a
// flag that cannot be used.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, status, ok := parse(args, stdout, stderr)
	if !ok {
		return status
	}
	if err := f.run(ctx, stdout); err != nil {
		fmt.Fprintf(stderr, "sallyport-filter: %v\n", err)
		if errors.Is(err, filter.ErrConfig) {
			return command.Usage
		}
		return 1
	}
	return command.OK
}

func (f *flags) run(ctx context.Context, stdout io.Writer) (err error) {
	loaded, err := filter.Load(f.filter)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loaded.Close()) }()
	for _, name := range f.interfaces {
		mode, err := loaded.Attach(name, f.mode)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "attached to %s: %v\n", name, mode)
	}
	var tick <-chan time.Time
	if f.every > 0 {
		ticker := time.NewTicker(f.every)
		defer ticker.Stop()
		tick = ticker.C
	}
	for began, last := time.Now(), (filter.Counts{}); ; {
		select {
		case <-ctx.Done():
			now, err := loaded.Counts()
			if err != nil {
				return err
			}
			f.table(stdout, loaded, &now, &filter.Counts{}, time.Since(began))
			return nil
		case <-tick:
			now, err := loaded.Counts()
			if err != nil {
				return err
			}
			f.table(stdout, loaded, &now, &last, f.every)
			last = now
		}
	}
}

// table prints the counters: in all, and a second of the time that has passed since the last ones.
func (f *flags) table(w io.Writer, loaded *filter.Filter, now, last *filter.Counts, passed time.Duration) {
	for _, port := range f.filter.Ports {
		state := "its server says where its players are"
		if !loaded.Serving(port) {
			state = "NO SERVER says anything, so everything passes"
		}
		fmt.Fprintf(w, "port %d: %s\n", port, state)
	}
	n, room := loaded.Known()
	fmt.Fprintf(w, "%d addresses known, room for %d\n", n, room)
	fmt.Fprintf(w, "%-34s %14s %12s\n", "packets", "in all", "a second")
	for v := range filter.NumVerdicts {
		fmt.Fprintf(w, "%-34v %14d %12.0f\n", v, now[v], float64(now[v]-last[v])/max(passed.Seconds(), 1e-3))
	}
	fmt.Fprintf(w, "%-34s %14d %12.0f\n\n", "dropped, all together", now.Dropped(), float64(now.Dropped()-last.Dropped())/max(passed.Seconds(), 1e-3))
}
