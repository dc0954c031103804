// Package replay detects repeated sequence numbers with a sliding window over 64-bit numbers, one
// bit each.
//
// The window spans the highest number accepted and the size-1 numbers below it. A number above it
// is new, a number below it is too old, and within it a bit decides:
//
//	        too old │◄────────── size ──────────►│ new
//	────────────────┼────────────────────────────┼────────────────
//	0               │ 1 1 0 1 1 1 0 0 1 … 1 0 1 1│          2^64-1
//	                                            ▲ highest
//
// The bits lie in a ring of 64-bit words (RFC 6479), so advancing clears whole words and shifts
// nothing: number n has bit n%64 of word n/64, counted round the ring. The ring has at least one
// word more than the window needs, because a window that begins inside a word ends inside another;
// it is rounded up to a power of two, so that a mask replaces a division. All comparisons subtract
// and none adds, so nothing overflows near 2^64-1.
//
// Checking and updating are two calls. Check changes nothing; Accept is for a number whose datagram
// has been authenticated since. A forged number, however far ahead, therefore never advances the
// window.
package replay
