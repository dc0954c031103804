package filterfeed

import (
	"errors"
	"flag"
	"log/slog"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/filter"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/internal/testkit"
)

// parsed are the flags of a command line.
func parsed(t *testing.T, args ...string) *Flags {
	t.Helper()
	f, set := new(Flags), flag.NewFlagSet("", flag.ContinueOnError)
	f.Define(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f
}

// A configuration gets the feed of its own port and the feed's metrics, beside what it has; without
// -filter, and with one that cannot be, it stays as it is.
func TestOpen(t *testing.T) {
	t.Parallel()
	config := gateway.Config{Listen: "127.0.0.1:7777", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	end, err := parsed(t).Open(&config)
	if err != nil {
		t.Fatal(err)
	}
	end()
	root := t.TempDir()
	if _, err := parsed(t, "-filter", root+"/maps").Open(&config); !errors.Is(err, filter.ErrConfig) || !strings.HasPrefix(err.Error(), "-filter: ") {
		t.Errorf("in no BPF file system: %v", err)
	}
	if config.Transport.Filter != nil || len(config.Metrics) != 0 {
		t.Errorf("without a feed: %v, %v", config.Transport.Filter, config.Metrics)
	}

	root = testkit.BPFDir(t)
	loaded, err := filter.Load(filter.Config{Ports: []uint16{7777}, Dir: root + "/maps", Peers: 16})
	testkit.AllowBPF(t, err)
	defer loaded.Close() //nolint:errcheck // it is attached to nothing
	if end, err = parsed(t, "-filter", root+"/maps").Open(&config); err != nil {
		t.Fatal(err)
	}
	if len(config.Metrics) != 2 {
		t.Errorf("%d metrics", len(config.Metrics))
	}
	config.Transport.Filter.Peers(nil)
	if !loaded.Serving(7777) {
		t.Error("the filter does not hear the server")
	}
	end()
	if loaded.Serving(7777) {
		t.Error("the filter does not know that the server has ended")
	}
}
