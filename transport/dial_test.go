package transport

import (
	"errors"
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
)

// A player that the match puts out as it joins was let in: Dial returns the
// client, and Receive says why it is over again. However late Dial looks.
func TestDialPutOut(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.listen()
		w.serving.Go(func() { w.served = s.Serve(Handler{Join: func(p *Player) { p.Kick(wire.ReasonKicked) }}) })
		c := w.dial(1)
		var refused *CloseError
		if _, err := c.Receive(w.Context(), nil); !errors.As(err, &refused) || refused.Reason != wire.ReasonKicked {
			w.Errorf("%v, want that the player was kicked", err)
		}
		for range 100 { // select chooses at random
			if err := c.progress.awaitWelcome(w.Context(), 0); err != nil {
				w.Fatalf("Dial's end: %v", err)
			}
		}
	})
}
