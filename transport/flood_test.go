package transport

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// heap is what is in use after a collection.
func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// "100,000 first datagrams from distinct sources: memory bounded, live players'
// loss 0." They come in two seconds, half of them each from a /24 of its own.
func TestFloodOfFirstDatagrams(t *testing.T) {
	const players, each = 4, 120
	flood := 100_000
	if testing.Short() {
		flood = 10_000
	}
	virtual(t, func(w *world) {
		w.match.mute = true
		w.serve()
		hello := w.firstHello()
		var clients []*Client
		for i := range players {
			clients = append(clients, w.dial(i, quietClient))
		}
		synctest.Wait()
		before, routines, most := heapBytes(), runtime.NumGoroutine(), 0
		for step := range each {
			for i := step * flood / each; i < (step+1)*flood/each; i++ {
				from := stranger(i)
				if i%2 == 0 {
					from = stranger(i * 200)
				}
				w.net.Inject(from, serverAddr, hello)
			}
			for i, c := range clients {
				if err := c.Send(fmt.Append(nil, "player ", i, " input ", step)); err != nil {
					w.Fatal(err)
				}
			}
			time.Sleep(2 * time.Second / each)
			synctest.Wait()
			most = max(most, w.server.first().Holdings().HalfOpen)
		}
		during := heapBytes()
		if got := w.match.payloads(); got != players*each {
			w.Errorf("%d of %d inputs arrived during the flood", got, players*each)
		}
		if most > defaultMaxHandshakes {
			w.Errorf("%d handshakes at once", most)
		}
		if grown := int64(during) - int64(before); grown > defaultMaxHandshakes*64<<10 {
			w.Errorf("memory has grown by %d KiB", grown>>10)
		}
		time.Sleep(2 * defaultHandshakeTimeout)
		synctest.Wait()
		for range 1_000_000 { // the process itself has one more at times
			if runtime.NumGoroutine() <= routines {
				break
			}
			runtime.Gosched()
		}
		if n, left := w.server.first().Holdings().HalfOpen, runtime.NumGoroutine()-routines; n != 0 || left > 0 {
			w.Errorf("%d handshakes and %d goroutines are left", n, left)
		}
		for i, c := range clients {
			if err := c.Send(fmt.Append(nil, "player ", i, " still here")); err != nil {
				w.Fatal(err)
			}
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if got := w.match.payloads(); got != players*(each+1) {
			w.Errorf("%d of %d players are still heard", got-players*each, players)
		}
	})
}
