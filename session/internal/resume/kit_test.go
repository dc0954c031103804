package resume

import (
	"encoding/hex"
	"time"
)

const tokenLife = 15 * time.Minute

var (
	begin = time.Unix(1_800_000_000, 0)
	phone = fingerprint{Platform: "linux", Build: "1.4.2"}
)

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
