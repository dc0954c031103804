package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
)

// fleetFlags say what the server shares with others: those beside it, and the one that takes its place.
type fleetFlags struct {
	keys, snapshot string
	newKey         bool
}

func (f *fleetFlags) define(set *flag.FlagSet) {
	set.StringVar(&f.keys, "fleet-keys", "", "`file` with the keys that the fleet shares, a line each, the one that seals first; mode 0600")
	set.StringVar(&f.snapshot, "snapshot", "", "`file` by which the sessions are handed on to the next process; goes with -fleet-keys")
	set.BoolVar(&f.newKey, "new-fleet-key", false, "write a new line for -fleet-keys to standard output, and do nothing else")
}

func (f *fleetFlags) check() error {
	if f.snapshot == "" {
		return nil
	}
	if f.keys == "" {
		return errors.New("-snapshot is sealed by -fleet-keys, which the next process must have too: give both")
	}
	dir := filepath.Dir(f.snapshot)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("-snapshot %s: there is no folder %s: make it, for this server's user alone", f.snapshot, dir)
	}
	return nil
}

// ring is the keys of -fleet-keys; nil without.
func (f *fleetFlags) ring() (*fleetkey.Ring, error) {
	if f.keys == "" {
		return nil, nil
	}
	keys, err := f.read()
	if err != nil {
		return nil, err
	}
	ring, err := fleetkey.NewRing(keys...)
	if err != nil {
		return nil, fmt.Errorf("cannot use -fleet-keys %s: %w", f.keys, err)
	}
	return ring, nil
}

func (f *fleetFlags) read() ([]fleetkey.Key, error) {
	keys, err := gameserver.ReadFleetKeys(f.keys)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot use -fleet-keys: there is no %s: make it by (umask 077; server -new-fleet-key > %s)", f.keys, f.keys)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use -fleet-keys: %w", err)
	}
	return keys, nil
}

// newFleetKey is the program with -new-fleet-key.
func newFleetKey(stdout, stderr io.Writer) int {
	if err := writeFleetKey(stdout); err != nil {
		fmt.Fprintf(stderr, "server: %v\n", err)
		return exitError
	}
	return exitOK
}

// writeFleetKey writes a fresh key as a line of a key file.
func writeFleetKey(w io.Writer) error {
	key, err := fleetkey.Generate()
	if err != nil {
		return err
	}
	line, err := key.Text()
	if err != nil {
		return err
	}
	defer clear(line)
	_, err = w.Write(line)
	return err
}
