// Package replay remembers which sequence numbers have been seen: a sliding window over 64-bit numbers, one bit each.
//
// The window is the highest number accepted and the size-1 numbers below it. What is above is new, what is below is
// too old, and inside a bit decides:
//
//	        too old │◄────────── size ──────────►│ new
//	────────────────┼────────────────────────────┼────────────────
//	0               │ 1 1 0 1 1 1 0 0 1 … 1 0 1 1│          2^64-1
//	                                            ▲ highest
//
// The bits lie in a ring of 64-bit words (RFC 6479), so moving on clears whole words and shifts nothing: number n has
// bit n%64 of word n/64, counted round the ring. The ring has at least one word more than the window needs, because a
// window that begins inside a word ends inside another; it is rounded up to a power of two, for a mask instead of a
// division. All comparisons subtract and none adds, so nothing overflows near 2^64-1.
//
// Asking and marking are two calls. Check changes nothing; Accept is for a number whose datagram has since been
// authenticated. A forged number, however far ahead, therefore moves nothing.
package replay
