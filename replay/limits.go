package replay

import "errors"

// Sizes of a window, in sequence numbers. A size is a multiple of 64.
const (
	// MinSize is one word, the window of plain DTLS.
	MinSize = 64

	// DefaultSize lets a number be overtaken by 1,023 others: 8 s of them at 128 a second, 0.5 s at 2,000.
	DefaultSize = 1024

	// MaxSize costs 2 KiB a window.
	MaxSize = 8192
)

// ErrSize is returned for a window size that is not a multiple of 64 from MinSize to MaxSize.
var ErrSize = errors.New("replay: window size is not a multiple of 64 from 64 to 8192")

// wordBits is the number of bits in a word of the ring.
const wordBits = 64

// smallWords is the ring of a window up to twice the default, in words.
const smallWords = 32

// Size returns the window size that a configuration of n means: DefaultSize for zero, else n itself.
func Size(n int) (int, error) {
	if n == 0 {
		return DefaultSize, nil
	}
	if n < MinSize || n > MaxSize || n%wordBits != 0 {
		return 0, ErrSize
	}
	return n, nil
}
