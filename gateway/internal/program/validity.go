package program

import (
	"crypto/tls"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/fleet/identity"
)

// validity says how long the certificates in use are good: fleet/metrics asks at each scrape.
type validity struct {
	shown  atomic.Pointer[tls.Certificate] // to players; nil before the start
	source atomic.Pointer[identity.Source] // of the admin API; nil without one, or before it has a certificate
}

// certificates are both, by the names that the metrics have for them.
func (v *validity) certificates() map[string]func() (notBefore, notAfter time.Time) {
	return map[string]func() (notBefore, notAfter time.Time){"dtls": v.dtls, "spiffe": v.spiffe}
}

func (v *validity) dtls() (notBefore, notAfter time.Time) {
	if c := v.shown.Load(); c != nil && c.Leaf != nil {
		notBefore, notAfter = c.Leaf.NotBefore, c.Leaf.NotAfter
	}
	return notBefore, notAfter
}

func (v *validity) spiffe() (notBefore, notAfter time.Time) {
	if s := v.source.Load(); s != nil {
		status := s.Status()
		notBefore, notAfter = status.NotBefore, status.NotAfter
	}
	return notBefore, notAfter
}
