package resume

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

const tokenLife = 15 * time.Minute

var begin = time.Unix(1_800_000_000, 0)

// newTestKey is a key of a test's: id and secret follow from n.
func newTestKey(t testing.TB, n byte) fleetkey.Key {
	t.Helper()
	k, err := fleetkey.New(uint32(n)<<24|1, counting(n, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRing(t testing.TB, keys ...fleetkey.Key) *fleetkey.Ring {
	t.Helper()
	r, err := fleetkey.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func counting(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
