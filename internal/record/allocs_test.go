package record

import (
	"fmt"
	"testing"

	"github.com/sallyport/sallyport/replay"
)

var sizes = []int{64, 512, 1200}

// "Everything before the tag check is free of allocation."
func TestNoAllocs(t *testing.T) {
	for _, suite := range suites {
		client, server := pair(t, suite, 1)
		text, buf := make([]byte, 1163), make([]byte, 0, 1200)
		if n := testing.AllocsPerRun(100, func() {
			rec, err := client.Seal(buf, ApplicationData, text)
			if err != nil {
				t.Fatal(err)
			}
			forged := rec[len(rec)-1]
			rec[len(rec)-1]++
			if _, _, err = server.Open(rec[:HeaderLen+1]); err == nil {
				t.Fatal("short record")
			}
			rec[len(rec)-1] = forged
			if _, _, err = server.Open(rec); err != nil {
				t.Fatal(err)
			}
			if _, _, err = server.Open(rec); err == nil {
				t.Fatal("replay")
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", suite, n)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, _ := pair(b, suites[0], 1)
			text, buf := make([]byte, n), make([]byte, 0, n+Overhead)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				c.next = 1 // the limit is not what is measured
				if _, err := c.Seal(buf, ApplicationData, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			client, server := pair(b, suites[0], 1)
			var recs [1024][]byte
			for i := range recs {
				recs[i] = seal(b, client, string(make([]byte, n)))
			}
			rec := make([]byte, len(recs[0]))
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(recs) == 0 { // a record opens once in a window's life
					server.window = replay.Make(0)
				}
				copy(rec, recs[i%len(recs)])
				if _, _, err := server.Open(rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
