package resume

import (
	"encoding/binary"
	"time"
)

// Clock is memory's clock, where it is behind the wall clock because that has stepped forward. The
// zero Clock is the wall clock.
type Clock struct {
	Behind  int64 // ns
	Stepped int64 // the wall clock just after it stepped forward, Unix ns
}

// appendTo appends the content of an entry:
//
//	offset size
//	     0    8  by how much memory's clock is behind the wall clock, nanoseconds
//	     8    8  the wall clock just after it stepped forward, Unix nanoseconds
func (e *Clock) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Behind))
	return binary.BigEndian.AppendUint64(dst, uint64(e.Stepped))
}

func parseClock(b []byte) (e Clock, ok bool) {
	u := newUnpacker(b)
	e.Behind, e.Stepped = int64(u.Uint64()), int64(u.Uint64())
	u.Require(e.Behind > 0)
	return e, u.Done()
}

// setBack returns the clock where the wall clock has been set back since, by at least so much.
func (e Clock) setBack(by time.Duration) Clock {
	if e.Behind <= int64(by) {
		return Clock{}
	}
	return Clock{e.Behind - int64(by), e.Stepped - int64(by)}
}
