package testkit

import (
	"testing"
	"time"
	"unsafe"
)

// Step returns what time.Now would return at the instant at if the wall clock had been set by d: the wall time is d later, and the
// monotonic reading is that of all other results for the same instant. In a synctest bubble time.Now itself has no
// monotonic reading.
func Step(t testing.TB, at time.Time, d time.Duration) time.Time {
	t.Helper()
	const hasMonotonic, sinceYear1885 = 1 << 63, 2_682_288_000 // of package time
	wall := at.Add(d)
	stepped := wall
	layout := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&stepped))
	layout.wall = hasMonotonic | uint64(wall.Unix()+sinceYear1885)<<30 | uint64(wall.Nanosecond())
	layout.ext = int64(at.Round(0).Sub(stepOrigin))
	if stepped.Round(0).Sub(at.Round(0)) != d || stepped.Add(time.Second).Sub(stepped) != time.Second || stepped == stepped.Round(0) {
		t.Fatalf("the layout of time.Time has changed: %v stepped by %v is %v", at, d, stepped)
	}
	return stepped
}

var stepOrigin = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
