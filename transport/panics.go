package transport

import (
	"fmt"
	"runtime/debug"

	"github.com/sallyport/sallyport/session"
)

// panics keeps the first panic of a handler until the rest has been done.
type panics struct{ first error }

// call calls f, and reports whether it has not panicked.
func (k *panics) call(f func()) (returned bool) {
	defer func() {
		if v := recover(); v != nil && k.first == nil {
			k.first = fmt.Errorf("transport: a handler has panicked: %v\n\n%s", v, debug.Stack())
		}
	}()
	f()
	return true
}

// goOn panics now, if a handler has.
func (k *panics) goOn() {
	if k.first != nil {
		panic(k.first)
	}
}

// guarded returns a handler whose panics are kept.
func (k *panics) guarded(h Handler) Handler {
	return Handler{
		Join: func(p *Player) {
			if !k.call(func() { h.Join(p) }) {
				p.Refuse(session.ReasonUnavailable) // as admit does
			}
		},
		Receive: func(p *Player, payload []byte) { k.call(func() { h.Receive(p, payload) }) },
		Message: func(p *Player, lane int, id uint64, b []byte) { k.call(func() { h.Message(p, lane, id, b) }) },
		Latest:  func(p *Player, lane int, key uint32, b []byte) { k.call(func() { h.Latest(p, lane, key, b) }) },
		Receipt: func(p *Player, lane int, id uint64, arrived bool) { k.call(func() { h.Receipt(p, lane, id, arrived) }) },
		Leave:   func(p *Player, reason session.Reason) { k.call(func() { h.Leave(p, reason) }) },
	}
}
