package signals

import "sync"

// window remembers SETs by issuer and jti. When it is full the oldest are forgotten: a repetition
// would be published again, and changes nothing for anybody.
type window struct {
	mu sync.Mutex
	// +checklocks:mu
	seen map[string]bool
	// +checklocks:mu
	order []string // a ring
	// +checklocks:mu
	next int
}

func newWindow(size int) *window {
	return &window{seen: map[string]bool{}, order: make([]string, size)}
}

func key(issuer, jti string) string { return issuer + "\x00" + jti }

// has reports whether a SET was taken before.
func (w *window) has(issuer, jti string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[key(issuer, jti)]
}

// add remembers a SET that was taken.
func (w *window) add(issuer, jti string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := key(issuer, jti)
	if w.seen[k] {
		return
	}
	delete(w.seen, w.order[w.next])
	w.seen[k], w.order[w.next] = true, k
	w.next = (w.next + 1) % len(w.order)
}
