package revocation

import (
	"errors"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// A full disk: what was published stays published, what cannot be written is refused with the reason and
// leaves nothing in the file, and with room again everything works, without a restart.
func TestStoreOnFullDisk(t *testing.T) {
	t.Parallel()
	disk, key, now := testkit.NewDisk(t, 64<<10), GenerateSigningKey(), time.Now()
	p := storePublisher(t, disk.Dir, key, now)
	good := 0
	publish := func() error {
		_, err := p.append(now, []Record{oneToken(good)})
		if err == nil {
			good++
		}
		return err
	}
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	disk.Fill()
	var err error
	for range 1000 { // fills the page that the file has, too
		if err = publish(); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrStore) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v after %d", err, good)
	}
	for range 3 {
		if err := publish(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("still full: %v", err)
		}
	}
	if f, err := p.store.begin(p.frames()); !errors.Is(err, syscall.ENOSPC) { // compaction
		t.Errorf("a new file: %v, %v", f, err)
	}
	disk.Free()
	if err := publish(); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	p = storePublisher(t, disk.Dir, key, now)
	if got := tokensOf(p); len(got) != good || got[good-1] != strconv.Itoa(good-1) {
		t.Errorf("%d of %d are there after a restart", len(got), good)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
