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

// Memory is what a pointer in an interface points to, as bytes to Touch: of a
// cipher from the standard library, say, whose fields are out of reach. It must
// not change any more. It is nil for anything but a pointer.
func Memory(v any) []byte {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return nil
	}
	return unsafe.Slice((*byte)(p.UnsafePointer()), p.Type().Elem().Size())
}

// ScheduleLen is what of an AES cipher's memory encryption with a 128-bit key
// reads: it stands first, and the schedule for decryption behind it. An AES-GCM
// has its tables after both.
const ScheduleLen = 3 * Line

// Schedule is that part of a Memory. Where the standard library lays it out
// otherwise, the wrong lines are read, which costs time and nothing else.
func Schedule(m []byte) []byte { return m[:min(len(m), ScheduleLen)] }

// Tables is what follows the schedules in an AES-GCM's memory.
func Tables(m []byte) []byte { return m[min(len(m), tablesFrom):] }

// tablesFrom is where they begin: behind two schedules of 240 bytes and a
// length.
const tablesFrom = 8 + 2*240

// Touch reads a byte of each cache line of b. The sum is there to be kept, so
// that the compiler does not leave the reading out.
func Touch(b []byte) (sum byte) {
	for i := 0; i < len(b); i += Line {
		sum ^= b[i]
	}
	return sum
}
