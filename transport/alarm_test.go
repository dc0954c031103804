package transport

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/token"
)

// "tells the operator when three quarters are in use" PROTOCOL.md 5.2. Players do not notice.
func TestMemoryAlarm(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.serve()
		c := w.dial(1)
		var used resume.Snapshot
		for n := range 180_000 { // of the 240,000 that a server of 10,000 seats has for tokens of a quarter of an hour
			used.Remembered = append(used.Remembered, resume.Remembered{
				Key: uint64(n), Owner: uint32(n), Why: 1, Expires: time.Now().Add(token.DefaultLife).UnixMilli(),
			})
		}
		s.gate.Restore(&used)
		time.Sleep(5 * time.Second)
		alarms := 0
		for _, e := range w.audit.all() {
			if e.Decision == audit.Alarm && e.Reason == audit.DropFull && strings.Contains(e.Detail, "three quarters full") {
				alarms++
			}
		}
		if alarms != 1 {
			t.Errorf("%d alarms", alarms)
		}
		w.echo(c, "still here")
		w.dial(2)
	})
}
