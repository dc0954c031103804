// Package filterfeed has the gateway's programs say to the filter of their host where players are: their
// flag, the feed and its metrics.
package filterfeed

import (
	"errors"
	"flag"
	"fmt"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/transport"
)

// Flags are those of the feed.
type Flags struct{ dir string }

// Define defines them.
func (f *Flags) Define(set *flag.FlagSet) {
	set.StringVar(&f.dir, "filter", "", "`directory` in which sallyport-filter has pinned its maps, such as /sys/fs/bpf/sallyport: it is told where players are; empty means no filter")
}

// Check returns an error for flags that cannot be used, with the programs' -listen. It touches nothing.
func (f *Flags) Check(listen string) error {
	if f.dir == "" {
		return nil
	}
	if !supported {
		return errors.New("-filter: there is XDP on Linux alone: leave it out")
	}
	_, err := port(listen)
	return err
}

// port is the UDP port of an address.
func port(listen string) (uint16, error) {
	_, text, err := net.SplitHostPort(listen)
	var n int
	if err == nil {
		n, err = net.LookupPort("udp", text)
	}
	if err != nil || n == 0 {
		return 0, fmt.Errorf("-filter needs the port in -listen that sallyport-filter is given as -port, such as :7777, not %q", listen)
	}
	return uint16(n), nil
}

// source is what feeds: a filter.Feed.
type source interface {
	transport.Filter
	Feeding() bool
	Seeing() bool
	Close() error
}

// Open has the server of config, at its Listen, tell the filter, and adds the feed's metrics. end is to be
// called when that server is closed: everything passes at once. Without -filter both do nothing. An error
// is what no filter mends that is loaded later: there is no BPF file system, or this process may use no
// BPF. Whatever else is missing is in config's Log once the server runs, until it is there, and keeps no
// player out.
func (f *Flags) Open(config *gateway.Config) (end func(), err error) {
	if f.dir == "" {
		return func() {}, nil
	}
	number, err := port(config.Listen)
	if err != nil {
		return nil, err
	}
	log := config.Log
	feed, err := open(f.dir, number, log)
	if err != nil {
		return nil, fmt.Errorf("-filter: %w", err)
	}
	config.Transport.Filter, config.Metrics = feed, append(config.Metrics,
		gauge("feeding", "1 while the filter in front of the port goes by what it is told, else 0.", feed.Feeding),
		gauge("seeing", "1 while the filter in front of the port has datagrams to judge, else 0: nobody plays by UDP, or it is attached to no interface by which players come.", feed.Seeing),
	)
	return func() {
		if err := feed.Close(); err != nil {
			log.Warn("the filter was not told that the server ends, and finds out by itself", "error", err)
		}
	}, nil
}

// gauge is a metric of the feed's, which is or is not.
func gauge(name, help string, is func() bool) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_filter_" + name, Help: help}, func() float64 {
		if is() {
			return 1
		}
		return 0
	})
}
