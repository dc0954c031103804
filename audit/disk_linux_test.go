package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// A full disk holds up nobody who records. What finds no room is counted as lost, and told by the next
// line that does, which stands on a line of its own. Close has the reason.
func TestFullDisk(t *testing.T) {
	disk := testkit.NewDisk(t, 16<<10)
	path := filepath.Join(disk.Dir, "audit")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j := start(t, f, JSONConfig{PerSecond: -1})
	record := func(n int) {
		for range n {
			j.Record(Event{Decision: Accept, Subject: "player"})
		}
		for began := time.Now(); len(j.queue) > 0 && time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
		}
	}
	record(3)
	disk.Fill()
	record(200) // fills the page that the file has, too
	lost := j.Lost()
	if lost == 0 {
		t.Fatal("there was room")
	}
	record(5)
	disk.Free()
	record(3)
	if err := j.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var whole strings.Builder
	for l := range strings.Lines(string(b)) {
		if strings.HasSuffix(l, "}\n") { // else it was cut off
			whole.WriteString(l)
		}
	}
	lines, _, told := sum(t, whole.String())
	if lines+int(j.Lost()) != 211 || told != int(j.Lost()) {
		t.Errorf("%d lines, %d lost, %d of them told", lines, j.Lost(), told)
	}
}
