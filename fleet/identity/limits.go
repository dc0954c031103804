package identity

import "time"

const (
	// ClockTolerance is how far the clock of a certificate's issuer may be ahead of ours: a NotBefore
	// at most that far in the future is accepted. That allows clocks a minute apart, with a minute to
	// spare. Expiry has no tolerance: a certificate should have been replaced halfway through its
	// life.
	ClockTolerance = 2 * time.Minute

	// defaultMaxLife is the longest life of a certificate: a stolen key is good for no longer.
	defaultMaxLife = 24 * time.Hour

	// defaultPoll is how often files are looked at. Three small files a second cost nothing.
	defaultPoll = time.Second

	// maxFile is the longest certificate, key or bundle file in bytes: hundreds of authorities.
	maxFile = 1 << 20

	// warnPart and alarmPart are the parts of its life that the own certificate has left when the
	// log warns and when the audit has an alarm. SPIRE renews when a half is left, cert-manager a
	// third.
	warnPart, alarmPart = 4, 10

	// minRetry and maxRetry bound the wait before the Workload API is asked again: an agent that
	// restarts is found within seconds.
	minRetry, maxRetry = 100 * time.Millisecond, 5 * time.Second

	// handshakeTime is how long a TLS handshake may take: a peer that says nothing holds a
	// connection for no longer.
	handshakeTime = 10 * time.Second

	// logInterval is the time between two lines of the log about the same Refusal.
	logInterval = time.Second
)
