package sallyport_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/vectors"
)

// scheduleText is 15.3.
func scheduleText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct {
		Name, Secret, Exporter, Binding, Session, Epoch, Platform, Build, Certificate, Digest string

		ClientKey string `json:"client_key"`
		ServerKey string `json:"server_key"`
		Envelopes []struct{ From, Kind, Sequence, Envelope string }
	}](t, data) {
		x := newText(t, v.Name)
		x.line(v.Secret, "secret")
		x.line(v.Exporter, "exporter")
		x.rest = v.Binding
		x.binding()
		x.line(v.Session, "session id")
		x.line(v.Epoch, "epoch")
		x.line(v.Platform, "platform: "+ascii(v.Platform))
		x.line(v.Build, "build: "+ascii(v.Build))
		x.line(v.Certificate, "certificate")
		x.line(v.Digest, "digest")
		x.line(v.ClientKey, "key from the client")
		x.line(v.ServerKey, "key from the server")
		all.WriteString(x.end())
		all.WriteString("| from | kind | sequence | envelope |\n|---|---|---|---|\n")
		for _, e := range v.Envelopes {
			fmt.Fprintf(&all, "| %s | %s | `%s` | `%s` |\n", e.From, e.Kind, e.Sequence, e.Envelope)
		}
		all.WriteString("\n")
	}
	return all.String()
}

type (
	ticketVector struct {
		Name       string
		FleetKeyID string `json:"fleet_key_id"`
		FleetKey   string `json:"fleet_key"`

		Nonce, Content, Ticket string
	}
	proofVector struct {
		Name, Secret, Exporter, Hello, Proof string

		ResumptionKey string `json:"resumption_key"`
	}
)

// ticketText is 15.4 of docs/fleet.md.
func ticketText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]ticketVector](t, data) {
		x := newText(t, v.Name)
		x.line(v.FleetKeyID, "fleet key id")
		x.line(v.FleetKey, "fleet key")
		x.line(v.Nonce, "nonce")
		x.WriteString("\n")
		x.rest = v.Content
		x.field(1, "version")
		flags := x.take(1)
		x.line(flags, "flags: "+[]string{"none", "certificate"}[value(flags)])
		x.binding()
		x.field(4, "epoch")
		x.field(4, "session id")
		x.field(8, "expiry")
		x.field(8, "client next")
		x.field(8, "issued")
		x.field(16, "session name")
		x.field(32, "resumption key")
		x.field(32, "digest")
		x.name("network prefix", prefix)
		for _, label := range []string{"issuer", "subject", "token id", "sign-in id", "key id", "scope"} {
			x.name(label, func(b []byte) string { return string(b) })
		}
		x.left("identity")
		x.WriteString("\n")
		x.line(v.Ticket, "ticket")
		all.WriteString(x.end())
	}
	return all.String()
}

// name writes a value with its length in front.
func (x *text) name(label string, format func([]byte) string) {
	n := int(value(x.rest[:4]))
	b, err := hex.DecodeString(x.rest[4 : 4+2*n])
	if err != nil {
		x.t.Fatal(err)
	}
	x.field(2+n, fmt.Sprintf("%s: %q", label, format(b)))
}

func prefix(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	var p netip.Prefix
	if err := p.UnmarshalBinary(b); err != nil {
		return err.Error()
	}
	return p.String()
}

// proofText is 15.4 of PROTOCOL.md. The ticket in a HELLO is not written again.
func proofText(t *testing.T, data []byte) string {
	var all strings.Builder
	tickets := vectors.Read[json.RawMessage](t, "tickets")
	for i, v := range decode[[]proofVector](t, data) {
		x := newText(t, v.Name)
		x.line(v.Secret, "secret")
		x.line(v.ResumptionKey, "resumption key")
		x.line(v.Exporter, "exporter")
		x.WriteString("\n")
		x.rest = v.Hello
		x.hello()
		x.field(3, fmt.Sprintf("field ticket: ticket %d follows", i+1))
		if ticket := decode[ticketVector](t, tickets[i]).Ticket; x.take(len(ticket)/2) != ticket {
			t.Errorf("proof %d is not of ticket %d", i+1, i+1)
		}
		for x.rest != "" {
			label := map[string]string{"03": "platform", "04": "build"}[x.rest[:2]]
			n := int(value(x.rest[2:6]))
			x.field(3+n, fmt.Sprintf("field %s: %s", label, ascii(x.rest[6:6+2*n])))
		}
		x.WriteString("\n")
		x.line("ff0020", "field proof")
		x.line(v.Proof, "proof")
		all.WriteString(x.end())
	}
	return all.String()
}
