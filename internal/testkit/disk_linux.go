package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Disk is a disk of its own, of a few KiB, which a test fills: a tmpfs, which takes root.
type Disk struct {
	t   testing.TB
	Dir string
}

// filler is the file that takes what room there is.
const filler = "filler"

// NewDisk returns a disk with room for so many bytes, a multiple of 4,096.
func NewDisk(t testing.TB, size int) *Disk {
	t.Helper()
	d := &Disk{t, t.TempDir()}
	err := syscall.Mount("sallyport", d.Dir, "tmpfs", 0, "size="+strconv.Itoa(size))
	if err != nil {
		Need(t, fmt.Errorf("a small disk cannot be made: %w", err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.Dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Fill leaves no room.
func (d *Disk) Fill() {
	d.t.Helper()
	f, err := os.Create(filepath.Join(d.Dir, filler))
	if err != nil {
		d.t.Fatal(err)
	}
	for b := make([]byte, 4096); ; {
		if _, err := f.Write(b); err != nil {
			break
		}
	}
	if err := f.Close(); err != nil {
		d.t.Fatal(err)
	}
}

// Free makes the room again that Fill has taken.
func (d *Disk) Free() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.Dir, filler)); err != nil {
		d.t.Fatal(err)
	}
}

// Files returns the names of what is there besides.
func (d *Disk) Files() (names []string) {
	d.t.Helper()
	list, err := os.ReadDir(d.Dir)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range list {
		if e.Name() != filler {
			names = append(names, e.Name())
		}
	}
	return names
}
