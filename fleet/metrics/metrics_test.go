package metrics

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/transport"
)

func TestScrape(t *testing.T) {
	t.Parallel()
	m := complete(t)
	m.Exchange(exchange("token"))
	m.Exchange(exchange(transport.OutcomeLeft))
	text, _ := scrape(t, "", m)
	for _, line := range []string{
		`sallyport_handshake_duration_seconds_bucket{outcome="ok",le="0.025"} 0`, `sallyport_handshake_duration_seconds_bucket{outcome="ok",le="0.05"} 3`,
		`sallyport_sign_in_duration_seconds_count{outcome="refused"} 1`, `sallyport_sign_in_duration_seconds_count{outcome="left"} 1`,
		`sallyport_token_verification_duration_seconds_count{outcome="ok"} 1`,
		`sallyport_renewal_duration_seconds_count{outcome="ok"} 0`, `sallyport_resume_duration_seconds_count{outcome="refused"} 0`,
		`sallyport_poll_duration_seconds_bucket{le="0.004"} 1`, `sallyport_player_rtt_seconds_bucket{le="0.05"} 1`, `sallyport_player_jitter_seconds_count 1`,
		`sallyport_player_loss_ratio_bucket{direction="in",le="0.1"} 1`, `sallyport_player_loss_ratio_bucket{direction="in",le="0.05"} 0`, // 10 of 100
		`sallyport_player_loss_ratio_bucket{direction="out",le="0.05"} 1`, `sallyport_player_loss_ratio_bucket{direction="out",le="0.02"} 0`, // 3 of 100
		`sallyport_revocation_delay_seconds_count 1`, `sallyport_admin_call_duration_seconds_count{code="200",operation="listSessions"} 1`,
		`sallyport_revocations_stale 1`, `sallyport_revocations_full 0`,
		`sallyport_revocation_publisher_age_seconds{publisher="central"} 1.5`, `sallyport_revocation_publisher_age_seconds{publisher="eu-1"} +Inf`,
		`sallyport_revocation_records_missing{publisher="central"} 2`, `sallyport_revocation_records_applied{publisher="central"} 40`,
		`sallyport_revocation_publisher_clock_skew_seconds{publisher="central"} -2`,
		`sallyport_certificate_expiry_timestamp_seconds{certificate="dtls"} 1.8000000005e+09`, `sallyport_certificate_life_seconds{certificate="dtls"} 10000`,
		`sallyport_revocation_messages_ignored_total{cause="unknown"} 1`, `sallyport_revocation_messages_ignored_total{cause="forged"} 2`,
		`sallyport_revocation_messages_ignored_total{cause="malformed"} 3`, `sallyport_revocation_messages_ignored_total{cause="old"} 4`,
		`sallyport_revocation_messages_ignored_total{cause="forbidden"} 5`, `sallyport_revocation_messages_ignored_total{cause="fork"} 6`,
		`sallyport_revocation_messages_ignored_total{cause="overflow"} 7`, `sallyport_revocation_records_stored 11`, `sallyport_revocation_stored_bytes 12`,
		`sallyport_revocation_records_queued 13`, `sallyport_revocation_records_refused_total 14`, `sallyport_revocation_segments_unstored 15`,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	for _, absent := range []string{"gone", `certificate="none"`, "ab0000"} {
		if strings.Contains(text, absent) {
			t.Errorf("%q is there", absent)
		}
	}
	open, _ := scrape(t, "application/openmetrics-text; version=1.0.0", m)
	if !strings.Contains(open, `# {trace_id="ab000000000000000000000000000000"}`) {
		t.Error("no exemplar")
	}
}

// Names and help texts follow Prometheus' conventions, as `promtool check metrics` reads them.
func TestConventions(t *testing.T) {
	t.Parallel()
	text, _ := scrape(t, "", complete(t))
	problems, err := promlint.New(bytes.NewBufferString(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sallyport_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// "How many series there are depends on the configuration, and not on the players": whatever they
// do, however many publishers there are, and whatever an admin's caller asks for.
func TestCardinality(t *testing.T) {
	t.Parallel()
	status := revocation.Status{}
	for n := range 1000 {
		status.Publishers = append(status.Publishers, revocation.PublisherStatus{
			Name: fmt.Sprint("server-", n), Heard: n != 900, Age: time.Duration(n) * time.Second, Applied: 10, Last: uint64(10 + n),
		})
	}
	m, err := New(Config{Revocations: func() revocation.Status { return status }})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1000 {
		m.Exchange(exchange(fmt.Sprint("outcome ", n)))
		m.AdminCall(fmt.Sprint("operation ", n), n, time.Millisecond)
		m.look(counted{}, transport.PlayerStats{Received: 1, Sent: 1, RTT: time.Duration(n) * time.Millisecond})
	}
	text, _ := scrape(t, "", m)
	for name, most := range map[string]int{
		"sallyport_sign_in_duration_seconds_count{": 3, "sallyport_player_rtt_seconds_count": 1,
		"sallyport_revocation_publisher_age_seconds{": maxPublishers + 1, "sallyport_admin_call_duration_seconds_count{": maxOperations + 501,
	} {
		if n := strings.Count(text, "\n"+name); n > most || n == 0 {
			t.Errorf("%d series of %s, at most %d", n, name, most)
		}
	}
	if !strings.Contains(text, `sallyport_revocation_publisher_age_seconds{publisher="others"} +Inf`) ||
		!strings.Contains(text, `sallyport_revocation_records_missing{publisher="others"} 999`) {
		t.Error("of the others it is not the worst that is shown")
	}
}

// "Records published before the process began, or more than a day ago, are not counted", and "a
// publisher whose clock is ahead has no delay".
func TestRevocationDelay(t *testing.T) {
	t.Parallel()
	m, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	m.RevocationApplied(m.began.Add(-time.Nanosecond))
	m.RevocationApplied(time.Time{})
	m.RevocationApplied(time.Now().Add(time.Minute))
	m.began = time.Now().Add(-25 * time.Hour)
	m.RevocationApplied(time.Now().Add(-24 * time.Hour))
	m.RevocationApplied(time.Now().Add(-10 * time.Minute))
	text, _ := scrape(t, "", m)
	for _, line := range []string{`sallyport_revocation_delay_seconds_bucket{le="0.005"} 1`, `sallyport_revocation_delay_seconds_bucket{le="300"} 1`, `sallyport_revocation_delay_seconds_count 2`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}

// "Errors match ErrConfig and name the field."
func TestConfig(t *testing.T) {
	t.Parallel()
	type certificates = map[string]func() (notBefore, notAfter time.Time)
	many, none := make(certificates), func() (from, until time.Time) { return from, until }
	for n := range maxCertificates + 1 {
		many[fmt.Sprint("c", n)] = none
	}
	for field, c := range map[string]Config{
		"Sample": {Sample: -1}, "Every": {Every: minEvery - 1}, "Certificates has more": {Certificates: many},
		"Certificates has a name": {Certificates: certificates{"Host name": none}},
		`Certificates["dtls"]`:    {Certificates: certificates{"dtls": nil}},
	} {
		if _, err := New(c); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if c, err := (Config{}).WithDefaults(); err != nil || c.Sample != 256 || c.Every != 10*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
}
