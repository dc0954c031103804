package transport

import (
	"context"
	"sync"
)

// background is the client's goroutines: the loop, handshakes, lookups, and calls of
// ClientConfig.Token.
type background struct {
	sync.WaitGroup

	ctx    context.Context // done when the client is closed
	cancel context.CancelFunc
}

func (b *background) init() { b.ctx, b.cancel = context.WithCancel(context.Background()) }
