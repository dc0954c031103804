// Package reload tells a program when to read its files again: certificates, keys and limits change while players
// play, and in a container nobody sends a signal.
package reload

import (
	"context"
	"os"
	"slices"
	"time"
)

// every is how often files are looked at: what writes a certificate or a key to a volume is not in
// a hurry.
const every = 2 * time.Second

// Watch calls again whenever hup says so, with true, and when one of the files has changed, with false, until ctx is
// done. Names that are empty are of no file.
func Watch(ctx context.Context, hup <-chan os.Signal, files []string, again func(told bool)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	seen := look(files)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			seen = look(files)
			again(true)
		case <-tick.C:
			if now := look(files); !slices.Equal(now, seen) {
				seen = now
				again(false)
			}
		}
	}
}

// stamp is when a file was written, and how long it is.
type stamp struct {
	at   int64 // Unix ns
	size int64
}

func look(files []string) []stamp {
	s := make([]stamp, len(files))
	for i, name := range files {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime().UnixNano(), info.Size()}
		}
	}
	return s
}
