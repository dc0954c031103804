// Package prefetch reads memory before it is needed.
//
// The keys of ten thousand players do not fit in a processor's cache. Handled one after the other,
// each datagram waits for main memory a dozen times in a row. If the memory of a whole batch is
// read beforehand, those waits overlap, since the reads do not depend on each other. The package
// computes nothing; leaving it out changes the time and nothing else.
package prefetch

import (
	"reflect"
	"unsafe"
)

// line is the length in bytes of a cache line on the processors in use.
const line = 64

// scheduleLines is how many cache lines of an AES cipher an encryption with a 128-bit key reads:
// the encryption schedule comes first in the cipher's memory, the decryption schedule after it.
// Where the standard library lays it out otherwise, Lines reads lines that are not needed.
const scheduleLines = 3

// ScheduleLines returns how many cache lines Lines may read of a cipher of v's type: those of the
// encryption schedule, as far as they lie within the memory that the pointer v points to. It is 0
// for anything but a pointer.
func ScheduleLines(v any) int { return min(scheduleLines, (size(v)+line-1)/line) }

// size returns the size in bytes of what the pointer in v points to, and 0 for anything but a
// pointer.
func size(v any) int {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return 0
	}
	return int(p.Type().Elem().Size())
}

// Lines reads the first byte of each of the first n cache lines of what the pointer in the
// interface v points to, and nothing if the interface is nil. n is at most ScheduleLines of the
// same type, so that no read passes the object's end. Use the result, a sum, so that the compiler
// keeps the reads.
func Lines[Interface any](v *Interface, n int) (sum byte) {
	object := (*[2]unsafe.Pointer)(unsafe.Pointer(v))[1]
	if object == nil {
		return 0
	}
	for i := range n {
		sum ^= *(*byte)(unsafe.Add(object, i*line))
	}
	return sum
}
