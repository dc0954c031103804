// Package meter has the gateway's programs report what fleet/metrics exports: how long players wait, how
// good their lines are, and until when certificates are good.
package meter

import (
	"crypto/tls"
	"maps"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/fleet/metrics"
	"github.com/sallyport/sallyport/gateway"
)

// Meter is that of one program. Its methods are safe for concurrent use. Run looks at the players.
type Meter struct {
	*metrics.Metrics

	shown atomic.Pointer[tls.Certificate]
}

// Open has the server of config report to the meter, with its certificate as dtls and the program's other
// ones, for metrics.Config.Certificates, and adds the metrics.
func Open(config *gateway.Config, others map[string]func() (notBefore, notAfter time.Time)) (*Meter, error) {
	m := new(Meter)
	m.SetCertificate(config.Transport.Certificate)
	certificates := map[string]func() (notBefore, notAfter time.Time){"dtls": m.dtls}
	maps.Copy(certificates, others)
	var err error
	if m.Metrics, err = metrics.New(metrics.Config{Certificates: certificates}); err != nil {
		return nil, err
	}
	config.Transport.OnExchange, config.Metrics = m.Exchange, append(config.Metrics, m)
	return m, nil
}

// SetCertificate says that players are shown cert from now on.
func (m *Meter) SetCertificate(cert tls.Certificate) { m.shown.Store(&cert) }

// dtls says how long the certificate that players are shown is good.
func (m *Meter) dtls() (notBefore, notAfter time.Time) {
	if leaf := m.shown.Load().Leaf; leaf != nil {
		notBefore, notAfter = leaf.NotBefore, leaf.NotAfter
	}
	return notBefore, notAfter
}
