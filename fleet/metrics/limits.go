package metrics

import "time"

const (
	// maxCertificates is how many certificates a server has at most: DTLS, SPIFFE, a few others.
	maxCertificates = 16

	// maxPublishers is how many publishers have series of their own: with as many servers, each of
	// which is a publisher, the fleet has maxPublishers times as many series for each server. Of
	// all others the worst one is shown.
	maxPublishers = 64

	// maxOperations is how many calls of an admin API have series of their own.
	maxOperations = 32

	defaultSample = 256
	defaultEvery  = 10 * time.Second
	minEvery      = time.Second

	// sampleTurn is how many rounds the same players are looked at.
	sampleTurn = 6

	// maxDelay is the longest delay of a revocation that is counted: what was published before the
	// process began is no delay, and neither is a clock that is days apart.
	maxDelay = 24 * time.Hour
)
