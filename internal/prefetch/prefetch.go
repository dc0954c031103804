// Package prefetch reads memory before it is needed.
//
// Ten thousand players' keys fill more than a processor's cache. One datagram
// after the other, each waits for main memory a dozen times in a row; a batch of
// datagrams whose memory is read beforehand waits for all of it at once, since
// reads that do not depend on each other overlap. Nothing is computed here, and
// leaving it out changes nothing but the time.
package prefetch

import (
	"reflect"
	"unsafe"
)

// Line is the length of a cache line in bytes on the processors in use.
const Line = 64

// ScheduleLines is what of an AES cipher's memory encryption with a 128-bit key
// reads: it stands first, and the schedule for decryption behind it. Where the
// standard library lays it out otherwise, the wrong lines are read, which costs
// time and nothing else.
const ScheduleLines = 3

// Size is the size in bytes of what the pointer in v points to: of a cipher from
// the standard library, say, whose fields are out of reach. It is 0 for anything
// but a pointer.
func Size(v any) int {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return 0
	}
	return int(p.Type().Elem().Size())
}

// Lines reads a byte of each of n cache lines of what the pointer in an interface
// points to, beginning at offset from; all must lie within its Size. It is 0 for
// an interface that is nil. The sum is there to be kept, so that the compiler
// does not leave the reading out.
func Lines[Interface any](v *Interface, from, n int) (sum byte) {
	object := (*[2]unsafe.Pointer)(unsafe.Pointer(v))[1]
	if object == nil {
		return 0
	}
	for i := range n {
		sum ^= *(*byte)(unsafe.Add(object, from+i*Line))
	}
	return sum
}
