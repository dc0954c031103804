package gateway

import (
	"os"
	"runtime"
	"sync"
)

var shareOnce = sync.OnceValue(share)

// ShareProcessors returns how many shards a program should serve that has a backend on goroutines of
// its own, for transport.Config.Shards, and gives the Go runtime room for them: a shard that waits
// sleeps in a system call, and may keep its place among the running goroutines for up to 10 ms, for
// which the backend would wait. It raises GOMAXPROCS once, unless the environment sets that. It is for
// a main function.
func ShareProcessors() (shards int) { return shareOnce() }

func share() int {
	shards := max(1, runtime.GOMAXPROCS(0)/2)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + shards)
	}
	return shards
}
