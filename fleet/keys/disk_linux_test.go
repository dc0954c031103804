package keys

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// "It is either the old one or the new one": on a full disk the old one, and nothing beside it.
func TestWriteFileOnFullDisk(t *testing.T) {
	t.Parallel()
	disk := testkit.NewDisk(t, 16<<10)
	path := filepath.Join(disk.Dir, "keys")
	if err := writeFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	want := "old"
	check := func() {
		t.Helper()
		if b, err := os.ReadFile(path); err != nil || string(b) != want || !slices.Equal(disk.Files(), []string{"keys"}) {
			t.Errorf("%q, %v, files %v", b, err, disk.Files())
		}
	}
	disk.Fill()
	if err := writeFile(path, make([]byte, 5000)); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	check()
	disk.Free()
	want = "new"
	if err := writeFile(path, []byte(want)); err != nil {
		t.Error(err)
	}
	check()
}
