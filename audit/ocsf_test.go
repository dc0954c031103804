package audit

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// everything is an event with a value in every field.
func everything(d Decision, r Drop) Event {
	return Event{
		Decision: d, Reason: r, Issuer: "issuer", Subject: "subject", TokenID: "id", Session: 1,
		Prefix: netip.MustParsePrefix("192.0.2.0/24"), Previous: netip.MustParsePrefix("198.51.100.0/24"),
		Part: "network", Version: "1", Trace: "4bf92f3577b34da6a3ce929d0e0e4736",
		Platform: "p", Build: "b", Scope: "s", Detail: "d", Cause: "c", Actor: "spiffe://fleet.test/role/operator", Operation: "kick",
	}
}

// The package comment's table of decisions, row by row.
func TestDecisionsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(doc)), " ")
	for d := Accept; d < numDecisions; d++ {
		m := d.mapping()
		severity := []string{"", "informational", "low", "medium", "high"}[m.severity]
		status := []string{"unknown", "success", "failure"}[m.status]
		row := fmt.Sprintf("// %s %d %d %s %d %s %d %s %d ", d, m.class, m.activity, m.activityName(), m.severity, severity, m.status, status, m.dispositionID)
		if !strings.Contains(text, row) {
			t.Errorf("the package comment lacks %q", row)
		}
	}
	if numDecisions.String() != "decision 19" || Decision(0).String() != "none" || Decision(255).mapping() != decisions[0] {
		t.Error("values that do not exist")
	}
}

// required are attributes that OCSF 1.8.0 requires or of which it wants one, by class.
var required = map[float64][]string{
	3002: {"user", "dst_endpoint"},
	4001: {"dst_endpoint"},
	6003: {"actor", "api", "src_endpoint"},
}

// permitted are attributes of OCSF 1.8.0, of those that a line may have, by path; and our two.
var permitted = strings.Fields(`
	decision reason
	time class_uid category_uid activity_id activity_name type_uid severity_id
	status_id status_code status_detail disposition_id disposition message metadata unmapped
	user session actor actor.user actor.session src_endpoint dst_endpoint
	user.name user.uid user.domain user.credential_uid actor.user.name actor.user.uid actor.user.domain actor.user.credential_uid
	actor.app_uid api api.operation
	session.uid actor.session.uid src_endpoint.name dst_endpoint.svc_name
	metadata.version metadata.product metadata.product.name metadata.product.vendor_name metadata.product.version
	metadata.profiles metadata.correlation_uid metadata.sequence`)

// paths returns the path of every attribute, but not those of unmapped, which are ours.
func paths(prefix string, m map[string]any) (found []string) {
	for k, v := range m {
		found = append(found, prefix+k)
		if inner, ok := v.(map[string]any); ok && k != "unmapped" {
			found = append(found, paths(prefix+k+".", inner)...)
		}
	}
	return found
}

// "a line is one JSON object, an event of OCSF ... It begins with two members that OCSF does not define"
func TestLinesAreOCSF(t *testing.T) {
	for d := range numDecisions {
		bare := Event{Decision: d}
		issuer := Event{Decision: d, Issuer: "issuer"}
		for _, l := range record(t, bare, issuer, everything(d, DropNone), everything(d, DropRate)) {
			m := fields(t, l)
			for _, p := range paths("", m) {
				if !slices.Contains(permitted, p) {
					t.Errorf("%v: %s is no attribute", d, p)
				}
			}
			class := m["class_uid"].(float64)
			for _, p := range required[class] {
				if m[p] == nil {
					t.Errorf("%v: no %s in %s", d, p, l)
				}
			}
			if m["type_uid"] != class*100+m["activity_id"].(float64) || m["category_uid"] != float64(int(class)/1000) {
				t.Errorf("%v: class, category and type disagree: %s", d, l)
			}
			if (m["disposition_id"] == 99.0) != (m["disposition"] != nil) {
				t.Errorf("%v: disposition: %s", d, l)
			}
			_, actor := m["actor"]
			actor = actor && class != 6003 // of which it is an attribute without a profile
			if profiles := fmt.Sprint(m["metadata"].(map[string]any)["profiles"]); actor != strings.Contains(profiles, "host") || actor && class != 4001 {
				t.Errorf("%v: actor without its profile, or the other way round: %s", d, l)
			}
		}
	}
}

// A line of a chain has OCSF's metadata.sequence besides, and the rest in unmapped; its heads are Base Events.
func TestChainedLinesAreOCSF(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	j := start(t, &b, JSONConfig{PerSecond: -1, Chain: &ChainConfig{Signer: key, Every: time.Hour}})
	j.Record(everything(Accept, DropNone))
	j.Record(everything(Alarm, DropRate))
	j.Close()
	n, message := 0, []string{"chain begin", "d", "d", "chain end"}
	for l := range strings.Lines(b.String()) {
		m := fields(t, l)
		for _, p := range paths("", m) {
			if !slices.Contains(permitted, p) {
				t.Errorf("%s is no attribute", p)
			}
		}
		head := m["class_uid"] == 0.0
		if head == (m["decision"] != nil) || m["message"] != message[n] || head && (m["type_uid"] != 0.0 || m["severity_id"] != 1.0) {
			t.Errorf("line %d: %s", n+1, l)
		}
		if n++; m["metadata"].(map[string]any)["sequence"] != float64(n) || m["unmapped"].(map[string]any)["chain"] == nil {
			t.Errorf("line %d: %s", n, l)
		}
	}
	if n != 4 {
		t.Errorf("%d lines", n)
	}
}

// "user.name: 'unknown' where there is no subject": OCSF wants a user to have a name or a uid.
func TestUserIsNamed(t *testing.T) {
	for d := range numDecisions {
		if d == Operate || d == Deny {
			continue // of a service
		}
		for i, l := range record(t, Event{Decision: d}, Event{Decision: d, TokenID: "id"}, Event{Decision: d, Subject: "s"}) {
			m := fields(t, l)
			u, _ := m["user"].(map[string]any)
			if actor, ok := m["actor"].(map[string]any); ok {
				u = actor["user"].(map[string]any)
			}
			if i == 0 && m["class_uid"] == 4001.0 {
				if u != nil {
					t.Errorf("%v: a user from nowhere", d)
				}
				continue
			}
			if (u["name"] == "unknown") != (i < 2) || (u["uid"] != nil) != (i == 2) {
				t.Errorf("%v: %s", d, l)
			}
		}
	}
}
