package main

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/filter"
	"github.com/sallyport/sallyport/internal/testkit"
)

// With -filter the program tells a filter of its port that it serves, and at its end that it does not; what is no place for a filter
// is refused.
func TestFilter(t *testing.T) {
	t.Parallel()
	cert, own := certify(t)
	port := testkit.FreePort(t)
	env := func(name string) string {
		return map[string]string{"SALLYPORT_NAKAMA_SESSION_KEY": strings.Repeat("k", 32)}[name]
	}
	args := []string{
		"-nakama", "http://127.0.0.1:" + testkit.FreePort(t), "-cert", cert, "-key", own, "-listen", "127.0.0.1:" + port, "-status", "",
		"-filter", filepath.Join(t.TempDir(), "sallyport"),
	}
	out := new(testkit.Console)
	if status := run(t.Context(), nil, args, env, out, out); status != 1 || !strings.Contains(out.String(), "mount -t bpf bpf") {
		t.Errorf("-filter in no BPF file system: status %d, %s", status, out)
	}

	maps := filepath.Join(testkit.BPFDir(t), "sallyport")
	args[len(args)-1] = maps
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	f, err := filter.Load(filter.Config{Ports: []uint16{uint16(number)}, Dir: maps, Peers: 16})
	testkit.AllowBPF(t, err)
	defer f.Close() //nolint:errcheck // it is attached to nothing
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, nil, args, env, out, out) }()
	out.Await(t, "the filter knows the players")
	if !f.Serving(uint16(number)) {
		t.Error("the filter does not hear the program")
	}
	stop()
	select {
	case status := <-ended:
		if status != 0 || f.Serving(uint16(number)) {
			t.Errorf("the program has ended with status %d, and that the filter takes it for alive is %v: %s", status, f.Serving(uint16(number)), out)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not end: %s", out)
	}
}
