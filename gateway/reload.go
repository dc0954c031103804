package gateway

// Limits returns the limits in force.
func (g *Gateway) Limits() Limits { return *g.limits.Load() }

// SetLimits puts l in force for later admissions; a lower MaxPlayers ends no session. If it returns
// an error, which matches ErrConfig, the former limits stay.
//
// What else can be replaced while players play: the certificate by Server().SetCertificate, the keys of
// the fleet by their fleetkey.Ring, the keys of identity tokens by their source. The rest of a Config
// needs another process, which may take the players over: transport.Config.Snapshot.
func (g *Gateway) SetLimits(l Limits) error {
	l, err := l.withDefaults()
	if err != nil {
		return err
	}
	g.limits.Store(&l)
	return nil
}
