package transport

import "io"

// inbox is a ring of payloads that wait for Receive.
type inbox struct {
	ring         [][]byte
	first, count int
}

// push copies b to the end and says how many older payloads it pushed out.
func (in *inbox) push(b []byte) (lost uint64) {
	if in.ring == nil {
		in.ring = make([][]byte, receiveQueue)
	}
	if in.count == len(in.ring) {
		in.first, in.count, lost = (in.first+1)%len(in.ring), in.count-1, 1
	}
	slot := &in.ring[(in.first+in.count)%len(in.ring)]
	*slot = append((*slot)[:0], b...)
	in.count++
	return lost
}

// pop copies the oldest payload to b; ok is false when there is none.
func (in *inbox) pop(b []byte) (n int, ok bool, err error) {
	if in.count == 0 {
		return 0, false, nil
	}
	payload := in.ring[in.first]
	in.first, in.count = (in.first+1)%len(in.ring), in.count-1
	if len(payload) > len(b) {
		return 0, true, io.ErrShortBuffer
	}
	return copy(b, payload), true, nil
}
