package machine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// The table of docs/fleet.md 11.2 has every cause, in order, and nothing else.
func TestDocumentCauses(t *testing.T) {
	var want strings.Builder
	want.WriteString("| cause | reason | meaning |\n|---|---|---|\n")
	for c := CauseNone + 1; c < NumCauses; c++ {
		fmt.Fprintf(&want, "| `%v` | `%v` | %s |\n", c, c.Drop(), c.Describe())
	}
	section := testkit.SectionOf(t, testkit.FleetDocument, "11.2")
	if _, got, _ := strings.Cut(section, "\n\n| "); "| "+got != want.String() {
		t.Errorf("docs/fleet.md 11.2 has\n| %s\nwant\n%s", got, want.String())
	}
}

// "Each begins with the label of its reason": so a search for a reason finds all of its causes.
func TestCausesAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for c := CauseNone + 1; c < NumCauses; c++ {
		first, _, _ := strings.Cut(c.String(), " ")
		if first != c.Drop().String() || seen[c.String()] {
			t.Errorf("%q is no label of its own for %v", c, c.Drop())
		}
		seen[c.String()] = true
		if d := c.Describe(); !strings.HasSuffix(d, ".") || strings.Count(d, ".") != 1 {
			t.Errorf("%v: %q is not one sentence", c, d)
		}
		if _, told := reasons[c.Drop()]; !told && c != CauseBearer && c != CauseSession && c != CauseSessionLanes && c != CauseElsewhere {
			t.Errorf("%v: the client gets no reason", c)
		}
	}
	if CauseNone.String() != "" || NumCauses.String() != fmt.Sprint("cause ", int(NumCauses)) || NumCauses.Describe() != "" || NumCauses.Drop() != audit.DropNone {
		t.Error("values that do not exist")
	}
}

// A cause of a token has the label of the check in package token, after the reason.
func TestCausesOfTokens(t *testing.T) {
	for check := token.CheckNone + 1; check < token.CheckOther; check++ {
		cause, ok := checkCauses[check]
		if want := "token " + check.String(); !ok || cause.Drop() == audit.DropToken && cause.String() != want {
			t.Errorf("check %v has cause %q, want %q", check, cause, want)
		}
	}
	if got := causeOf(errors.New("else")); got != CauseOther || causeOf(nil) != CauseNone || causeOf(ErrKeysWait) != CauseBusyKeys {
		t.Error(got)
	}
}
