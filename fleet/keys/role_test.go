package keys

import "testing"

// Phases and roles survive their text; words that are none are refused.
func TestTexts(t *testing.T) {
	t.Parallel()
	for p := PhaseSteady; p <= PhaseDrain; p++ {
		text, _ := p.MarshalText()
		if got := new(Phase); got.UnmarshalText(text) != nil || *got != p {
			t.Errorf("%v: %v", p, *got)
		}
	}
	for r := RoleSealing; r <= RoleFormer; r++ {
		text, _ := r.MarshalText()
		if got := new(Role); got.UnmarshalText(text) != nil || *got != r {
			t.Errorf("%v: %v", r, *got)
		}
	}
	for _, text := range []string{"", "Steady", "phase 5", "role 4", "next "} {
		if new(Phase).UnmarshalText([]byte(text)) == nil || new(Role).UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
