package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/transport"
)

// Buckets in seconds. A step at the outcome that an alert or a promise names: a tick of 60 Hz, the
// quarter of a second of a revocation, the 5 s of a handshake.
var (
	quick = []float64{.0005, .001, .002, .004, .008, .016, .033, .066, .133, .25, .5, 1}
	slow  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	round = []float64{.005, .01, .02, .03, .05, .075, .1, .15, .2, .3, .5, 1}
	delay = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 12, 30, 60, 300}
	ratio = []float64{0, .001, .0025, .005, .01, .02, .05, .1, .2, .5}
)

// steps are the histograms of an exchange's steps. Names and labels are stable; docs/deploy.md
// repeats them, and a test compares.
var steps = map[transport.StepKind]prometheus.HistogramOpts{
	transport.StepHandshake:    {Name: "sallyport_handshake_duration_seconds", Help: "How long DTLS handshakes took, of addresses that have returned the cookie.", Buckets: slow},
	transport.StepSignIn:       {Name: "sallyport_sign_in_duration_seconds", Help: "How long sign-ins took, from HELLO to WELCOME or a refusal.", Buckets: slow},
	transport.StepVerification: {Name: "sallyport_token_verification_duration_seconds", Help: "How long identity tokens waited for their verification and were verified.", Buckets: slow},
	transport.StepRenewal:      {Name: "sallyport_renewal_duration_seconds", Help: "How long renewals took, from RENEW to RENEWED or a refusal.", Buckets: slow},
	transport.StepResume:       {Name: "sallyport_resume_duration_seconds", Help: "How long resumptions took, from HELLO to the first datagram on the new connection or a refusal.", Buckets: slow},
}

// The values of the label outcome. sallyport_refusals_total says why.
const (
	outcomeOK      = transport.OutcomeOK
	outcomeLeft    = transport.OutcomeLeft
	outcomeRefused = "refused"
)

var (
	poll   = prometheus.HistogramOpts{Name: "sallyport_poll_duration_seconds", Help: "How long calls of Server.Poll took, where the program observes them.", Buckets: quick}
	rtt    = prometheus.HistogramOpts{Name: "sallyport_player_rtt_seconds", Help: "Round trips of a sample of players, a round each.", Buckets: round}
	jitter = prometheus.HistogramOpts{Name: "sallyport_player_jitter_seconds", Help: "Mean deviations of the same round trips.", Buckets: quick}
	loss   = prometheus.HistogramOpts{Name: "sallyport_player_loss_ratio", Help: "Datagrams lost of a sample of players' in a round: in from all, where lanes leave out one number in 256, and out to those with lanes.", Buckets: ratio}
	apply  = prometheus.HistogramOpts{Name: "sallyport_revocation_delay_seconds", Help: "How long records took from their publication, by the publisher's clock, until they were in force here.", Buckets: delay}
	call   = prometheus.HistogramOpts{Name: "sallyport_admin_call_duration_seconds", Help: "How long calls of the admin API took.", Buckets: slow}
)

var (
	stale   = describe("sallyport_revocations_stale", "1 while what is known of revocations is too old, and the configured mode applies.")
	full    = describe("sallyport_revocations_full", "1 while the server cannot hold all revocations, and the configured mode applies.")
	age     = describe("sallyport_revocation_publisher_age_seconds", "How old a publisher's newest word is at most; +Inf before the first.", "publisher")
	missing = describe("sallyport_revocation_records_missing", "Records of a publisher that are known to exist and are not in force here.", "publisher")
	applied = describe("sallyport_revocation_records_applied", "Records of a publisher's epoch that are in force here.", "publisher")
	skew    = describe("sallyport_revocation_publisher_clock_skew_seconds", "How far a publisher's clock is ahead of ours.", "publisher")
	ignored = describe("sallyport_revocation_messages_ignored_total", "Messages and records of the revocation feed that had no effect.", "cause")
	stored  = describe("sallyport_revocation_records_stored", "Records that this process keeps as a publisher.")
	size    = describe("sallyport_revocation_stored_bytes", "Size of the segments that this process keeps as a publisher.")
	queued  = describe("sallyport_revocation_records_queued", "Records that wait for this process to publish them.")
	refused = describe("sallyport_revocation_records_refused_total", "Records that this process could not publish.")
	behind  = describe("sallyport_revocation_segments_unstored", "Segments of this process that the carrier has still to store.")
	expiry  = describe("sallyport_certificate_expiry_timestamp_seconds", "When a certificate expires.", "certificate")
	life    = describe("sallyport_certificate_life_seconds", "How long a certificate is good in all.", "certificate")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}
