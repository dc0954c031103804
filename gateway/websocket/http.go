package websocket

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gorilla/websocket"
)

// ServeHTTP takes a WebSocket. It returns when the connection is over.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protocol, peer, status := l.judge(r)
	if status != 0 {
		l.counts.refused.Add(1)
		http.Error(w, http.StatusText(status), status)
		return
	}
	p := l.take(peer.Addr())
	if p == nil {
		l.counts.refused.Add(1)
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
		return
	}
	defer l.places.give(p)
	upgrader := websocket.Upgrader{
		HandshakeTimeout: headerTime, ReadBufferSize: 2048, WriteBufferSize: 2048, WriteBufferPool: &buffers,
		Subprotocols: []string{protocol}, CheckOrigin: func(*http.Request) bool { return true }, // judge has
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		l.counts.refused.Add(1) // it has been answered
		return
	}
	var relay *browser
	if protocol == SessionSubprotocol {
		relay = newBrowser(l)
	}
	s := newStream(ws, peer, relay)
	s.place = p
	s.allowed.Store(int64(l.config.Rate))
	if !l.add(s) {
		s.close()
		s.wg.Wait()
		return
	}
	l.counts.accepted.Add(1)
	if relay != nil {
		l.counts.browsers.Add(1)
	}
	l.serve(s)
}

// judge returns what a request is for and whose it is, or the status of its refusal.
func (l *Listener) judge(r *http.Request) (protocol string, peer netip.AddrPort, status int) {
	origins := r.Header.Values("Origin") // a browser sends one
	if len(origins) > 1 || len(origins) == 1 && !slices.Contains(l.config.Origins, origins[0]) {
		return "", peer, http.StatusForbidden
	}
	switch offers := websocket.Subprotocols(r); {
	case !websocket.IsWebSocketUpgrade(r):
		return "", peer, http.StatusBadRequest
	case slices.Contains(offers, Subprotocol): // the better one, for whoever has the choice
		protocol = Subprotocol
	case !slices.Contains(offers, SessionSubprotocol) || l.config.Certificate == nil:
		return "", peer, http.StatusBadRequest
	case len(origins) == 0 || !l.protects(r):
		return "", peer, http.StatusForbidden
	default:
		protocol = SessionSubprotocol
	}
	peer, ok := l.peerOf(r)
	if !ok {
		return "", peer, http.StatusBadRequest
	}
	return protocol, peer, 0
}

// protects reports whether TLS protects a request as far as anybody can see here: it ends here or at a
// proxy, or nothing has left the machine.
func (l *Listener) protects(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	a := from.Addr().Unmap()
	return r.TLS != nil || a.IsLoopback() || l.isProxy(a)
}

// peerOf is the player's address, with the port of the connection that it has come by.
func (l *Listener) peerOf(r *http.Request) (netip.AddrPort, bool) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return from, false
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if !l.isProxy(from.Addr()) {
		return from, true
	}
	named := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(named) {
		a, err := parseForwarded(strings.TrimSpace(text))
		if err != nil {
			return from, false
		}
		if a = a.Unmap().WithZone(""); !l.isProxy(a) {
			return netip.AddrPortFrom(a, from.Port()), true
		}
	}
	return from, false
}

// parseForwarded reads an address, behind which some proxies write a port.
func parseForwarded(text string) (netip.Addr, error) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	return netip.ParseAddr(text)
}

func (l *Listener) isProxy(a netip.Addr) bool {
	return slices.ContainsFunc(l.config.Proxies, func(p netip.Prefix) bool { return p.Contains(a.WithZone("")) })
}
